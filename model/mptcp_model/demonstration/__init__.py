"""The parts of `mptcp demo`: a file that moves, in two worlds, and how that is told and drawn.

    transfer     one file that went from one end to another, what was seen of it, what speaks against it
    simulation   two of our hosts in a simulated network
    kernel       the same with the kernel of this machine, by way of the command `mptcp lab`
    outcome      everything that it came to
    pictures     time, sequence and congestion windows
    telling      what a person reads on the terminal

The command itself is mptcp_model.demo.
"""
