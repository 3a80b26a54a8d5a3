"""A network in one process and in virtual time: links, routers, machines, captures.

Nothing here refers upward and nothing waits: each part returns what it causes, and the network
carries that on. All of it is a tree of records, so that ``network.copy()`` branches a whole run and
the same seed gives the same packets, octet for octet.

    clock         virtual time: what happens next
    link          one direction of a wire: rate, delay, loss, queue, reorder, duplicate
    router        prefixes, hop limits, "too big"
    middlebox     what does not leave packets as they are: strips, splits, joins, alters, translates
    applications  what runs on top of a connection: Sender, Sink, Echo
    machine       one mptcp.host.Host with its interfaces and applications
    capture       pcap files
    network       all of them together, and the loop
"""
