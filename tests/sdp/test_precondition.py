"""RFC 3312: answers that say that preconditions are met."""

from pbx.sdp.precondition import met

PLAIN = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 8\r\n"
)
ASKED = PLAIN + (
    b"a=curr:qos local none\r\na=curr:qos remote none\r\n"
    b"a=des:qos mandatory local sendrecv\r\na=des:qos none remote sendrecv\r\n"
)


class TestSection5:
    def test_our_side_has_what_it_needs(self) -> None:
        told = met(PLAIN, ASKED).split(b"\r\n")[6:-1]
        assert told == [
            b"a=curr:qos local sendrecv",
            b"a=curr:qos remote none",
            b"a=des:qos none local sendrecv",
            b"a=des:qos mandatory remote sendrecv",
            b"a=conf:qos remote sendrecv",
        ]

    def test_what_the_phone_says_of_them_does_not_count(self) -> None:
        assert met(ASKED, ASKED) == met(PLAIN, ASKED)

    def test_nothing_to_wait_for(self) -> None:
        has = ASKED.replace(b"qos local none", b"qos local sendrecv")
        assert b"conf" not in met(PLAIN, has)
        optional = ASKED.replace(b"mandatory", b"optional")
        assert b"conf" not in met(PLAIN, optional)

    def test_without_preconditions_nothing_is_said(self) -> None:
        assert met(PLAIN, PLAIN) == PLAIN

    def test_each_media_by_itself(self) -> None:
        video = b"m=video 4002 RTP/AVP 96\r\n"
        told = met(PLAIN + video, ASKED + video)
        assert told.endswith(b"a=conf:qos remote sendrecv\r\n" + video)

    def test_another_kind_of_precondition(self) -> None:
        odd = PLAIN + b"a=curr:sec e2e none\r\na=des:qos\r\n"
        assert b"a=curr:qos remote none" in met(PLAIN, odd)

    def test_what_can_not_be_read(self) -> None:
        assert met(b"nonsense", ASKED) == b"nonsense"
        assert met(PLAIN, b"nonsense") == PLAIN
