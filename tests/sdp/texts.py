"""Session descriptions that the tests of pbx.sdp share."""

from pbx.sdp.description import SessionDescription, parse_sdp

OFFER = """\
v=0
o=alice 2890844526 2890844527 IN IP4 192.0.2.10
s=-
c=IN IP4 192.0.2.10
t=0 0
m=audio 49170 RTP/AVP 0 8 97
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 iLBC/8000
m=video 51372 RTP/AVP 31 32
a=rtpmap:31 H261/90000
a=rtpmap:32 MPV/90000
"""


def octets(text: str) -> bytes:
    """Return `text` with the line ends of a message body."""
    return text.replace("\n", "\r\n").encode("utf-8", "surrogateescape")


def parsed(text: str) -> SessionDescription:
    """Return the description in `text`."""
    return parse_sdp(octets(text))


def session(*lines: str) -> str:
    """Return a description with these lines behind the first four."""
    head = ("v=0", "o=- 1 1 IN IP4 192.0.2.10", "s=-", "c=IN IP4 192.0.2.10", "t=0 0")
    return "".join(line + "\n" for line in (*head, *lines))
