"""The torture messages themselves: octets as the RFCs have them, and what a sender must put right."""

from pathlib import Path

VECTORS = Path(__file__).parent / "vectors"

NAMES = sorted(path.stem for path in VECTORS.glob("rfc*/*") if path.is_file())
"""All 49 messages of RFC 4475 and the 12 of RFC 5118."""

# Their Content-Length fits no line-end convention (see vectors/README.md): right it before use.
WRONG_LENGTH = {"ipv6-in-sdp", "mult-ip-in-sdp", "ipv4-mapped-ipv6"}


def octets(name: str) -> bytes:
    """A message as it goes on the wire."""
    for path in (VECTORS / "rfc4475" / f"{name}.dat", VECTORS / "rfc5118" / name):
        if path.exists():
            data = path.read_bytes()
            break
    if name == "baddn":
        # The archive's copy lacks the empty line: without it there would be another fault to find.
        data += b"\r\n"
    if name in WRONG_LENGTH:
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [
            b"Content-Length: %d" % len(body) if line.startswith(b"Content-Length") else line
            for line in head.split(b"\r\n")
        ]
        data = b"\r\n".join(lines) + b"\r\n\r\n" + body
    return data
