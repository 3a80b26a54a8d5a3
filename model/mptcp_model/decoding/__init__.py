"""What `mptcp decode` is made of.

captures      frames out of pcap and pcapng, gzip'd or not, from a file or a pipe
links         where in a frame the IP packet begins
octets        the same for octets that somebody typed
records       what is known of connections, their hosts, subflows and directions
conversation  reads segments in their order and keeps those records
proofs        what a segment proves, and whether it holds: keys, tokens, HMACs
sums          whether the checksums of mappings hold
objects       a segment as an object of JSON
lines         a segment in lines that a person reads
"""
