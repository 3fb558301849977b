"""The phone's offers and answers: RFC 3264."""

import pytest

from hw.softphone.session import Negotiation, check_offer
from pbx.errors import PeerError
from pbx.sdp.description import parse_sdp
from pbx.sip.flow import Address
from tests.hw.softphone.stage import MEDIA, sdp


def test_our_offer() -> None:
    offer = parse_sdp(Negotiation(MEDIA, 7).offer())
    (media,) = offer.media
    assert (media.port, media.formats) == (MEDIA.port, ("0", "8", "101"))
    assert [(one.format, one.encoding) for one in media.rtpmaps] == [
        ("0", "PCMU"),
        ("8", "PCMA"),
        ("101", "telephone-event"),
    ]
    connection = offer.connection(media)
    assert connection is not None
    assert connection.address == MEDIA.host


def test_by_ipv6() -> None:
    offer = Negotiation(Address("2001:db8::5", 4000), 7).offer()
    assert b"c=IN IP6 2001:db8::5\r\n" in offer


def test_each_description_has_the_next_version() -> None:
    negotiation = Negotiation(MEDIA, 7)
    bodies = [negotiation.offer(), negotiation.answer(sdp()), negotiation.offer()]
    assert [parse_sdp(body).origin.version for body in bodies] == ["1", "2", "3"]


def test_the_callers_order_decides() -> None:
    negotiation = Negotiation(MEDIA, 7)
    assert b"RTP/AVP 8 101\r\n" in negotiation.answer(sdp("9 8 0 101"))


def test_a_dynamic_number_and_other_keys() -> None:
    body = (
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
        b"m=audio 7000 RTP/AVP 110 97\r\na=rtpmap:110 pcma/8000\r\n"
        b"a=rtpmap:97 telephone-event/8000\r\n"
    )
    negotiation = Negotiation(MEDIA, 7)
    answer = negotiation.answer(body)
    assert b"RTP/AVP 110 97\r\n" in answer
    assert b"a=rtpmap:97 telephone-event/8000\r\n" in answer
    assert negotiation.agreed is not None
    assert (negotiation.agreed.payload_type, negotiation.agreed.event_type) == (110, 97)


def test_keys_of_another_clock_are_none() -> None:
    negotiation = Negotiation(MEDIA, 7)
    negotiation.answer(sdp().replace(b"telephone-event/8000", b"telephone-event/48000"))
    assert negotiation.agreed is not None
    assert negotiation.agreed.event_type is None


def test_a_peer_with_a_name_for_an_address_is_awaited() -> None:
    negotiation = Negotiation(MEDIA, 7)
    negotiation.answer(sdp(host="phone.example"))
    assert negotiation.agreed is not None
    assert negotiation.agreed.remote is None


@pytest.mark.parametrize(
    "body",
    [sdp("9"), sdp().replace(b"RTP/AVP", b"RTP/SAVP"), sdp().replace(b"7000", b"0"), b"", b"v=1"],
)
def test_what_cannot_be_used(body: bytes) -> None:
    with pytest.raises(PeerError):
        check_offer(body)
    negotiation = Negotiation(MEDIA, 7)
    with pytest.raises(PeerError):
        negotiation.answer(body)
    assert negotiation.agreed is None
