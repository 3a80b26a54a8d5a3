"""The checksums of mappings: text of many sizes, with and without DATA_FIN, near the ends of the space."""

from itertools import product
from typing import Any, Final

from mptcp.keys import compute_dss_checksum
from mptcp.values import Text
from mptcp_model.answers.octets import make_octets

TITLE: Final = "The checksum of a mapping: its 64-bit DSN, SSN and length, and all its text"

SIZES: Final = (0, 1, 2, 3, 7, 8, 31, 32, 33, 535, 1_400, 1_460)
DSNS: Final = (1, 0xFFFF_FFFF, 0x1_0000_0000, 0xE3DB_22C6_785A_0D46, 0xFFFF_FFFF_FFFF_FFFF)
SSNS: Final = (1, 0x8000_0000, 0xFFFF_FFFF)


def make() -> list[dict[str, Any]]:
    """The vectors."""
    made = []
    for size, dsn, fin in product(SIZES, DSNS, (False, True)):
        if size + fin:
            ssn = SSNS[size % len(SSNS)] if size else 0  # a DATA_FIN alone has SSN 0
            made.append(make_one(dsn, ssn, fin, make_octets(f"text {size}", size)))
    for text in (bytes(64), b"\xff" * 64, b"\xff\xff" * 3 + b"\xff"):  # sums of 0 and of its other self
        made.append(make_one(1, 1, False, text))
    return made


def make_one(dsn: int, ssn: int, fin: bool, text: bytes) -> dict[str, Any]:
    """One vector."""
    length = len(text) + fin
    checksum = compute_dss_checksum(dsn, ssn, length, (Text(text, 0, len(text)),))
    return {
        "dsn": f"{dsn:016x}",
        "ssn": ssn,
        "length": length,
        "fin": fin,
        "text": text.hex(),
        "checksum": checksum,
    }
