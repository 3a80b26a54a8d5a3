"""The octets: what RFC 791, 8200, 792, 4443, 9293 and 8684 put on the wire, both directions.

Value and octets are two things. ``parse`` takes any octets and gives a value or raises Malformed;
a value holds only what may be sent (its constructor raises Refused otherwise) and ``emit`` writes
it down. The law between them: ``emit(parse(x)) == x`` for every packet x whose reserved fields are
zero, octet for octet.

The order of the modules, each from those before it: octets, checksum, ip, icmp, options,
handshake, dss, addresses, endings, segment, budget.
"""
