"""Domains that several topics share."""

from typing import Annotated, TypeAlias

from mptcp_proofs.claim import Between, Octets

Bit: TypeAlias = Annotated[int, Between(0, 1)]
Nibble: TypeAlias = Annotated[int, Between(0, 0xF)]
Byte: TypeAlias = Annotated[int, Between(0, 0xFF)]
Half: TypeAlias = Annotated[int, Between(0, 0xFFFF)]
Word: TypeAlias = Annotated[int, Between(0, 0xFFFFFFFF)]
Double: TypeAlias = Annotated[int, Between(0, 0xFFFFFFFFFFFFFFFF)]
Offset: TypeAlias = Annotated[int, Between(0, (1 << 62) - 1)]
"""An offset in a stream: 63 bits are more than any stream takes."""
Key: TypeAlias = Annotated[bytes, Octets(8)]
Nonce: TypeAlias = Annotated[bytes, Octets(4)]
