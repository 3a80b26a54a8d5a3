"""Known answers for other implementations: what `mptcp vectors` writes, a module to each file.

    options     options as octets and as fields
    secrets     what follows from keys: tokens, IDSNs, HMACs
    checksums   the checksums of mappings
    malformed   octets that are illegal, and how

Each has TITLE and ``make()``, which gives the same vectors every time.
"""
