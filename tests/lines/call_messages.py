"""The messages of a test call, and what the media engine counts of it."""

from pbx.media.protocol import StreamCounts
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response, response_to

CALL = "trial"
OWN = Address("192.0.2.1", 5060)
CARRIER = Flow("udp", OWN, Address("198.51.100.1", 5060))
STRANGER = Flow("udp", OWN, Address("203.0.113.9", 5060))

DESCRIPTION = (
    "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\n"
)


def request(method: str = "INVITE", call_id: str = CALL, cseq: int = 1, host: str = "") -> Request:
    made = Request(
        method,
        "sip:+8675512345678@ims.example;user=phone",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"),
            ("From", "<sip:+8610@ims.example>;tag=a"),
            ("To", "<sip:+8675512345678@ims.example>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", "<sip:100@192.0.2.1:5060>"),
            ("Max-Forwards", "70"),
        ],
    )
    if host:
        made.add("Content-Type", "application/sdp")
        made.body = DESCRIPTION.format(host).encode()
    made.add("Content-Length", str(len(made.body)))
    return made


def answer(to: Request, status: int, *headers: tuple[str, str], host: str = "") -> Response:
    made = response_to(to, status, to_tag="theirs")
    made.extend(headers)
    if host:
        made.add("Content-Type", "application/sdp")
        made.body = DESCRIPTION.format(host).encode()
    return made


def stream(port: int, received: int, sent: int = 200, refused: int = 0) -> StreamCounts:
    return StreamCounts(port, received, 0, sent, 0, refused, 0, 0, 0, 0, 0, 0.0, None)
