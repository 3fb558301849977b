import pytest

from pbx.errors import PeerError
from pbx.sdp.description import Connection, Direction, Origin, parse_sdp
from pbx.sdp.offer_answer import (
    answer_direction,
    check_answer,
    effective_direction,
    normalise,
    null_connection,
    on_hold,
    refused,
    reject_all,
    with_origin,
)
from tests.sdp.texts import OFFER, octets, parsed, session

SENDRECV, SENDONLY, RECVONLY, INACTIVE = Direction


class TestRfc3264Section6:
    """Generating the answer."""

    def test_every_media_refused(self) -> None:
        answer = parse_sdp(reject_all(octets(OFFER), "192.0.2.1", 7))
        assert [str(media) for media in answer.media] == [
            "m=audio 0 RTP/AVP 0 8 97",
            "m=video 0 RTP/AVP 31 32",
        ]
        assert answer.origin == Origin("-", "7", "1", Connection("IP4", "192.0.2.1"))
        assert answer.encode().startswith(b"v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4")

    def test_an_offer_that_cannot_be_read_is_refused_without_media(self) -> None:
        assert parse_sdp(reject_all(b"\0")).media == ()

    def test_a_refused_media_has_nothing_below_it(self) -> None:
        media = refused(parsed(session("m=video 4000/2 RTP/AVP 31", "a=sendonly")).media[0])
        assert str(media) == "m=video 0 RTP/AVP 31"
        assert media.lines == ()

    def test_an_answer_for_each_media(self) -> None:
        check_answer(parsed(OFFER), parsed(OFFER))

    def test_an_old_phone_leaves_video_out(self) -> None:
        check_answer(parsed(OFFER), parsed(session("m=audio 4 RTP/AVP 0")))

    def test_more_media_than_offered(self) -> None:
        with pytest.raises(PeerError, match="more media") as raised:
            check_answer(parsed(session("m=audio 4 RTP/AVP 0")), parsed(OFFER))
        assert raised.value.status == 488

    def test_other_media_than_offered(self) -> None:
        with pytest.raises(PeerError, match="other media"):
            check_answer(parsed(OFFER), parsed(session("m=video 4 RTP/AVP 31")))


class TestRfc3264Section6_1:
    """The answer's direction, from what is offered and what is wanted."""

    @pytest.mark.parametrize(
        ("offered", "wanted", "answered"),
        [
            (SENDRECV, SENDRECV, SENDRECV),
            (SENDRECV, SENDONLY, SENDONLY),
            (SENDRECV, RECVONLY, RECVONLY),
            (SENDRECV, INACTIVE, INACTIVE),
            (SENDONLY, SENDRECV, RECVONLY),
            (SENDONLY, SENDONLY, INACTIVE),
            (SENDONLY, RECVONLY, RECVONLY),
            (SENDONLY, INACTIVE, INACTIVE),
            (RECVONLY, SENDRECV, SENDONLY),
            (RECVONLY, SENDONLY, SENDONLY),
            (RECVONLY, RECVONLY, INACTIVE),
            (RECVONLY, INACTIVE, INACTIVE),
            (INACTIVE, SENDRECV, INACTIVE),
            (INACTIVE, SENDONLY, INACTIVE),
            (INACTIVE, RECVONLY, INACTIVE),
            (INACTIVE, INACTIVE, INACTIVE),
        ],
    )
    def test_every_pair(self, offered: Direction, wanted: Direction, answered: Direction) -> None:
        assert answer_direction(offered, wanted) is answered

    def test_all_is_wanted_unless_said(self) -> None:
        assert answer_direction(SENDONLY) is RECVONLY


class TestRfc3264Section8_4:
    """Putting a media stream on hold."""

    @pytest.mark.parametrize("direction", ["sendonly", "inactive"])
    def test_by_direction(self, direction: str) -> None:
        assert on_hold(parsed(session("m=audio 4 RTP/AVP 0", "a=" + direction)))

    @pytest.mark.parametrize("connection", ["IN IP4 0.0.0.0", "IN IP6 ::", "IN IP6 0::0"])
    def test_by_address(self, connection: str) -> None:
        description = parsed(session("m=audio 4 RTP/AVP 0", "c=" + connection))
        assert null_connection(description, description.media[0])
        assert on_hold(description)

    def test_a_call_is_held_when_all_its_media_is(self) -> None:
        held = ("m=audio 4 RTP/AVP 0", "a=sendonly")
        assert not on_hold(parsed(session(*held, "m=video 6 RTP/AVP 31")))
        assert on_hold(parsed(session(*held, "m=video 0 RTP/AVP 31")))

    def test_a_call_without_media_is_not_held(self) -> None:
        assert not on_hold(parsed(session("m=audio 0 RTP/AVP 0", "a=inactive")))

    def test_refused_media_without_an_address_is_not_held(self) -> None:
        description = parsed("v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0\n")
        assert not null_connection(description, description.media[0])

    @pytest.mark.parametrize(
        ("direction", "effective"),
        [("sendrecv", SENDONLY), ("sendonly", SENDONLY), ("recvonly", INACTIVE)]
        + [("inactive", INACTIVE)],
    )
    def test_the_address_takes_receiving_away(self, direction: str, effective: Direction) -> None:
        held = parsed(session("m=audio 4 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=" + direction))
        assert effective_direction(held, held.media[0]) is effective
        free = parsed(session("m=audio 4 RTP/AVP 0", "a=" + direction))
        assert effective_direction(free, free.media[0]).value == direction


class TestRfc8840Section4_1_1:
    """An offer with trickle ICE has no address yet, and holds nothing."""

    @pytest.mark.parametrize(
        ("lines", "held"),
        [
            (("m=audio 9 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=ice-ufrag:x"), False),
            (("a=ice-ufrag:x", "m=audio 9 RTP/AVP 0", "c=IN IP4 0.0.0.0"), False),
            (("m=audio 4 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=ice-ufrag:x"), True),
            (("m=audio 9 RTP/AVP 0", "c=IN IP4 0.0.0.0"), True),
        ],
    )
    def test_port_9(self, lines: tuple[str, ...], held: bool) -> None:
        assert on_hold(parsed(session(*lines))) is held


class TestNormalise:
    def test_one_connection_for_all(self) -> None:
        description = parsed(
            "v=0\no=- 1 1 IN IP4 192.0.2.10\ns=-\ni=x\nb=AS:64\nt=0 0\na=x\n"
            "m=audio 4 RTP/AVP 0\nc=IN IP4 192.0.2.10\nm=video 6 RTP/AVP 31\nc=IN IP4 192.0.2.11\n"
        )
        assert normalise(description, "2001:db8::1").encode() == octets(
            "v=0\no=- 1 1 IN IP4 192.0.2.10\ns=-\ni=x\nc=IN IP6 2001:db8::1\nb=AS:64\nt=0 0\na=x\n"
            "m=audio 4 RTP/AVP 0\nm=video 6 RTP/AVP 31\n"
        )

    def test_the_null_address_becomes_a_direction(self) -> None:
        description = parsed(
            session("m=audio 4 RTP/AVP 0", "c=IN IP4 0.0.0.0", "m=video 6 RTP/AVP 31")
        )
        assert normalise(description, "192.0.2.10").encode() == octets(
            session("m=audio 4 RTP/AVP 0", "a=sendonly", "m=video 6 RTP/AVP 31")
        )

    def test_what_is_missing_comes_in_its_place(self) -> None:
        description = parsed("v=0\no=- 1 1 IN IP4 192.0.2.10\na=x\n")
        assert normalise(description, "192.0.2.1").encode() == octets(
            "v=0\no=- 1 1 IN IP4 192.0.2.10\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\na=x\n"
        )

    def test_another_origin(self) -> None:
        origin = Origin("-", "7", "3", Connection("IP4", "192.0.2.1"))
        changed = with_origin(parsed(OFFER), origin)
        assert changed.origin == origin
        assert changed.media == parsed(OFFER).media
