"""TLS on top: asyncio puts it on our transports as on its own."""

import asyncio
import hashlib
import ssl
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mptcp_stack.streams import open_connection, start_server


@pytest.mark.needs("openssl")
def test_start_tls(run: Any, pair: Any, tmp_path: Path) -> None:
    """Both sides say start_tls; what is then written is read, and an end is an end."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=right", "-addext", "subjectAltName=DNS:right", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", str(key), "-out", str(certificate), *subject],
        check=True,
        capture_output=True,
    )
    octets = Random(10).randbytes(300_000)
    ours = ssl.create_default_context(cafile=str(certificate))
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(theirs)
        question = await reader.readexactly(len(octets))
        writer.write(hashlib.sha256(question).digest())
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        async with pair() as both:
            await start_server(serve, port=443, stack=both.right)
            reader, writer = await open_connection("10.0.0.2", 443, stack=both.left)
            await writer.start_tls(ours, server_hostname="right")
            writer.write(octets)
            assert await reader.read() == hashlib.sha256(octets).digest()
            writer.close()
            await writer.wait_closed()

    run(main())
