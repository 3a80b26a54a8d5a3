"""The protocol on a real machine: devices, an event loop, streams, laboratories, the `mptcp` command.

Importing this package asks for nothing beyond the standard library; the command line and the
laboratory need what ``mptcp[stack]`` installs, and ask for it when they are used.
"""
