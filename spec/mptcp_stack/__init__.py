"""The protocol on a real machine: devices, an event loop, streams, laboratories, the `mptcp` command.

Importing this package asks for nothing beyond the standard library; the command line and the
laboratory need what ``mptcp[stack]`` installs, and ask for it when they are used.
"""

from mptcp import obey_switch

obey_switch(__path__[0])  # what each packet passes is compiled, too
