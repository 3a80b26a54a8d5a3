"""The sub-command `mptcp vectors`: known answers for other implementations, as files of JSON.

What is in them stands in docs/vectors.rst; they are made by mptcp_model.answers.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mptcp_model.answers import checksums, malformed, options, secrets

FORMAT: Final = "mptcp-vectors/1"
"""Name and version. The version changes when a field's name or meaning does; that there are more vectors, or
fields that were not there, changes nothing."""

FILES: Final = {one.__name__.rpartition(".")[2]: one for one in (options, secrets, checksums, malformed)}


def make_file(name: str) -> dict[str, Any]:
    """What stands in the file ``name``.json."""
    module = FILES[name]
    return {"format": FORMAT, "title": module.TITLE, "vectors": module.make()}


def vectors(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Where to write the files; made if it is not there.", show_default=False
        ),
    ],
) -> None:
    """Write known answers for other implementations, as files of JSON.

    Options as octets and as fields, of every length and both versions; tokens, IDSNs and HMACs; checksums of
    mappings; octets that are illegal, with the verdict. The same files every time.

    Example:
    mptcp vectors build/vectors && jq '.vectors[0]' build/vectors/options.json
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        made = make_file(name)
        path = folder / f"{name}.json"
        path.write_text(json.dumps(made, indent=1) + "\n", encoding="ascii")
        print(f"{path}: {len(made['vectors']):,} vectors")
