"""Where in a frame the IP packet begins, for the link types of pcap that carry IP on a Linux machine.

The numbers are those of https://www.tcpdump.org/linktypes.html.
"""

from typing import Final

NULL: Final = 0  # BSD loopback: 4 octets of address family
ETHERNET: Final = 1
LOOP: Final = 108  # OpenBSD loopback
LINUX_SLL: Final = 113  # the device "any"
LINUX_SLL2: Final = 276
RAW: Final = frozenset((12, 14, 101, 228, 229))  # begins with the IP header
KNOWN: Final = RAW | {NULL, ETHERNET, LOOP, LINUX_SLL, LINUX_SLL2}

IP_TYPES: Final = (b"\x08\x00", b"\x86\xdd")  # EtherTypes
VLAN_TYPES: Final = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
LAYOUT: Final = {ETHERNET: (12, 14), LINUX_SLL: (14, 16), LINUX_SLL2: (0, 20)}
"""Where the EtherType stands, and where what it announces begins."""


def find_packet(link: int, frame: bytes) -> int:
    """Where the IP packet begins in ``frame`` of a link type that is KNOWN; -1 if it carries none."""
    if link == ETHERNET and frame[12:14] in IP_TYPES:  # nearly all there is
        return 14
    if link in RAW:
        return 0 if frame else -1
    if link not in LAYOUT:
        return 4 if frame[4:5] and frame[4] >> 4 in (4, 6) else -1
    kind, start = LAYOUT[link]
    found = frame[kind : kind + 2]
    while found in VLAN_TYPES:
        found = frame[start + 2 : start + 4]
        start += 4
    return start if found in IP_TYPES else -1
