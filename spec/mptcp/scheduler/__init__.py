"""Which way: which subflow carries the next octets."""
