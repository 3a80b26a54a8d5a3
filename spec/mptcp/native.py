"""What the compiler is told about a class, and the interpreter ignores.

``@mypyc_attr(acyclic=True)`` promises that objects of a class never form a cycle, so that the
garbage collector need not know them; ``free_list_len=1`` keeps the last one freed for the next one
made. Both together make a value that is built for each segment three to five times cheaper.

``i64`` is a number that the machine holds in one register: of 64 bits with a sign, without Python's
tests for more. Fields of a header are declared so; what can be longer (keys, DSNs, what is computed
from them) is an ``int``. To the interpreter it is an ``int``, too.

The compiler knows both by their names in mypy_extensions, which nobody needs at run time. This
module is never compiled.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import i64 as i64
    from mypy_extensions import mypyc_attr as mypyc_attr
else:
    i64 = int

    def mypyc_attr(**attributes):
        """A decorator that leaves its class as it is."""
        return _same


def _same(kind: type) -> type:
    return kind
