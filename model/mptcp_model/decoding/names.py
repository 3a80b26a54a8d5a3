"""The names of options, and an option's fields as JSON has them."""

from collections import Counter
from ipaddress import ip_address
from typing import Final

from mptcp.values import Address
from mptcp.wire import addresses, dss, endings, handshake, options
from mptcp.wire.dss import Dss
from mptcp.wire.options import Option
from mptcp_model.decoding.proofs import Facts
from mptcp_model.decoding.records import End

NAMES: Final[dict[type[Option], str]] = {
    options.EndOfList: "EOL",
    options.NoOperation: "NOP",
    options.MaximumSegmentSize: "MSS",
    options.WindowScale: "WS",
    options.SackPermitted: "SACK_PERMITTED",
    options.Sack: "SACK",
    options.Timestamps: "TS",
    options.FastOpen: "TFO",
    options.Unknown: "UNKNOWN",
    options.Leftover: "LEFTOVER",
    handshake.CapableSyn: "MP_CAPABLE",
    handshake.CapableSynV0: "MP_CAPABLE",
    handshake.CapableSynAck: "MP_CAPABLE",
    handshake.CapableAck: "MP_CAPABLE",
    handshake.CapableData: "MP_CAPABLE",
    handshake.JoinSyn: "MP_JOIN",
    handshake.JoinSynAck: "MP_JOIN",
    handshake.JoinAck: "MP_JOIN",
    dss.Dss: "DSS",
    addresses.AddAddr: "ADD_ADDR",
    addresses.AddAddrEcho: "ADD_ADDR",
    addresses.AddAddrV0: "ADD_ADDR",
    addresses.RemoveAddr: "REMOVE_ADDR",
    addresses.Prio: "MP_PRIO",
    addresses.PrioV0: "MP_PRIO",
    endings.Fail: "MP_FAIL",
    endings.FastClose: "MP_FASTCLOSE",
    endings.TcpReset: "MP_TCPRST",
    endings.Experimental: "MP_EXPERIMENTAL",
}
SEVERAL: Final = frozenset(name for name, count in Counter(NAMES.values()).items() if count > 1)
"""Names of options with several layouts."""

HEXADECIMAL: Final = {"token": 8, "dsn": 16}
"""Numbers that nobody counts with, by the name of the field: how many digits they have."""


def name_address(address: Address) -> str:
    """An IP address as people write it."""
    if len(address) == 4:
        return f"{address[0]}.{address[1]}.{address[2]}.{address[3]}"
    return str(ip_address(address))


def name_end(end: End) -> str:
    """``address:port``, IPv6 in brackets."""
    address = name_address(end.address)
    return f"[{address}]:{end.port}" if len(end.address) == 16 else f"{address}:{end.port}"


def spell_fields(option: Option) -> Facts:
    """The option's name and its fields as they stand on the wire, under the names of its class.

    Octets, tokens and DSNs are in hexadecimal, addresses written out; ``layout`` is the class, for an
    option that has several. What a DSS does not have is left out.
    """
    kind = type(option)
    fields: Facts = {"option": NAMES[kind]}
    if NAMES[kind] in SEVERAL:
        fields["layout"] = kind.__name__
    if isinstance(option, Dss):
        return fields | spell_dss(option)
    for name in option.__match_args__:
        value = getattr(option, name)
        if name == "address":
            value = name_address(value)
        elif name in HEXADECIMAL:
            value = f"{value:0{HEXADECIMAL[name]}x}"
        elif isinstance(value, bytes):
            value = value.hex()
        fields[name] = value
    return fields


def spell_dss(option: Dss) -> Facts:
    """The fields of a DSS; Data ACK and DSN have as many digits as the option gives them."""
    fields: Facts = {}
    ack, mapping = option.ack, option.mapping
    if ack is not None:
        fields["data_ack"] = f"{ack.number:0{16 if ack.wide else 8}x}"
    if mapping is not None:
        fields["dsn"] = f"{mapping.dsn:0{16 if mapping.wide else 8}x}"
        fields |= {"ssn": mapping.ssn, "length": mapping.length}
        fields |= {"checksum": mapping.checksum, "fin": mapping.fin}
    return fields
