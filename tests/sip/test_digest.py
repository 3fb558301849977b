import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.errors import MisuseError, PeerError
from pbx.sip import digest
from pbx.sip.digest import Challenge, Credentials

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
REALM = "http-auth@example.org"


class TestRfc7616Section3_9_1:
    """The RFC's own example: Mufasa, Circle of Life."""

    @pytest.mark.parametrize(
        ("algorithm", "expected"),
        [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ],
    )
    def test_response(self, algorithm: str, expected: str) -> None:
        ha1 = digest.ha1("Mufasa", REALM, "Circle of Life", algorithm)
        made = digest.response(
            ha1, "GET", "/dir/index.html", NONCE, "00000001", CNONCE, "auth", algorithm
        )
        assert made == expected

    def test_answer_challenge(self) -> None:
        challenge = digest.parse_challenge(
            f'Digest realm="{REALM}", qop="auth, auth-int", algorithm=MD5, nonce="{NONCE}", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        )
        credentials = digest.answer_challenge(
            challenge, "GET", "/dir/index.html", "Mufasa", "Circle of Life", cnonce=CNONCE
        )
        assert credentials.response == "8ca523f5e9506fed4657c9700eebdbec"
        assert str(credentials) == (
            f'Digest username="Mufasa", realm="{REALM}", nonce="{NONCE}", uri="/dir/index.html", '
            'response="8ca523f5e9506fed4657c9700eebdbec", algorithm=MD5, '
            f'cnonce="{CNONCE}", qop=auth, nc=00000001, '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        )
        assert digest.parse_credentials(str(credentials)) == credentials


class TestRfc2617Section3:
    def test_example(self) -> None:
        ha1 = digest.ha1("Mufasa", "testrealm@host.com", "Circle Of Life", "md5")
        nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
        made = digest.response(
            ha1, "GET", "/dir/index.html", nonce, "00000001", "0a4f113b", "auth", "MD5"
        )
        assert made == "6629fae49393a05397450978507c4ef1"

    def test_without_qop(self) -> None:
        """RFC 3261 §22.4 item 7: clients of RFC 2069 send no qop."""
        ha1 = "939e7578ed9e3c518a452acee763bce9"
        made = digest.response(ha1, "GET", "/dir/index.html", "dcd98b7102dd2f0e8b11d0f600bfb0c093", None, None, None, "MD5")  # fmt: skip
        assert made == "670fd8c2df070c60b045671b8b24ff02"

    def test_auth_int_covers_the_body(self) -> None:
        def made(body: bytes) -> str:
            return digest.response("0" * 32, "INVITE", "sip:b@h", "n", "00000001", "c", "auth-int", "MD5", body)  # fmt: skip

        assert made(b"a") != made(b"b")
        assert len(made(b"")) == 32

    def test_sess(self) -> None:
        ha1 = digest.ha1("u", "r", "p", "MD5-sess")
        assert ha1 == digest.ha1("u", "r", "p", "MD5")
        one = digest.response(ha1, "INVITE", "sip:b@h", "n", "00000001", "c", "auth", "MD5-sess")
        other = digest.response(ha1, "INVITE", "sip:b@h", "n", "00000001", "c", "auth", "MD5")
        assert one != other
        assert digest.response(ha1, "M", "u", "n", None, None, None, "MD5-sess") != digest.response(
            ha1, "M", "u", "n", None, None, None, "MD5"
        )

    def test_unknown_algorithm_is_our_bug(self) -> None:
        with pytest.raises(MisuseError):
            digest.ha1("u", "r", "p", "AKAv1-MD5")


class TestRfc3261Section22_4:
    def test_challenge(self) -> None:
        text = digest.challenge('my "realm"', "n1", "MD5")
        assert text == 'Digest realm="my \\"realm\\"", nonce="n1", algorithm=MD5, qop="auth"'
        assert digest.parse_challenge(text) == Challenge('my "realm"', "n1", "MD5", ("auth",))

    def test_stale_challenge(self) -> None:
        text = digest.challenge("r", "n", "SHA-256", stale=True, opaque="o")
        assert (
            text
            == 'Digest realm="r", nonce="n", opaque="o", stale=true, algorithm=SHA-256, qop="auth"'
        )
        assert digest.parse_challenge(text) == Challenge("r", "n", "SHA-256", ("auth",), "o", True)

    def test_challenge_of_rfc_2069(self) -> None:
        challenge = digest.parse_challenge('digest\tnonce=n,REALM="r" ,  stale="FALSE",')
        assert challenge == Challenge("r", "n")
        assert str(challenge) == 'Digest realm="r", nonce="n", algorithm=MD5'

    def test_credentials_as_phones_write_them(self) -> None:
        credentials = digest.parse_credentials(
            'DIGEST username="100",realm="pbx", nonce="n,\\"1", uri="sip:pbx;x=1", response=ab12,'
            ' qop="auth", nc=0000000A , cnonce="c", algorithm="md5", unknown=1, opaque=""'
        )
        assert credentials == Credentials(
            "100", "pbx", 'n,"1', "sip:pbx;x=1", "ab12", "md5", "c", "auth", "0000000A", ""
        )

    def test_count_without_qop_says_nothing(self) -> None:
        credentials = digest.parse_credentials(
            'Digest username="u", realm="r", nonce="n", uri="u", response="x", nc=zz'
        )
        assert credentials == Credentials("u", "r", "n", "u", "x")
        assert str(credentials) == (
            'Digest username="u", realm="r", nonce="n", uri="u", response="x", algorithm=MD5'
        )

    @pytest.mark.parametrize(
        "text",
        [
            "",
            '"Digest"',
            "Basic dXNlcjpwdw==",
            "NoOneKnowsThisScheme opaque-data=here",
            "Digest",
            "Digest username",
            'Digest username="u',
            'Digest username="u" realm="r", nonce="n", uri="u", response="x"',
            'Digest username="u", realm="r", nonce="n", uri="u"',
            'Digest realm="r", nonce="n", uri="u", response="x"',
            'Digest username="u", username="v", realm="r", nonce="n", uri="u", response="x"',
            'Digest username="u", realm="r", nonce="n", uri="u", response="x", qop=auth, nc=00000001',
            'Digest username="u", realm="r", nonce="n", uri="u", response="x", qop=auth, cnonce="c"',
            'Digest username="u", realm="r", nonce="n", uri="u", response="x", qop=auth, cnonce="c", nc=1',
            'Digest username="u", realm="r", nonce="n", uri="u", response="x", qop=auth, cnonce="c", nc=0000000g',
        ],
    )
    def test_bad_credentials(self, text: str) -> None:
        with pytest.raises(PeerError) as caught:
            digest.parse_credentials(text)
        assert caught.value.status == 400

    @pytest.mark.parametrize(
        "text", ["", "Basic realm=x", "Digest", 'Digest realm="r"', 'Digest nonce="n"']
    )
    def test_bad_challenge(self, text: str) -> None:
        with pytest.raises(PeerError):
            digest.parse_challenge(text)


class TestFindCredentials:
    MINE = 'Digest username="u", realm="mine", nonce="n", uri="u", response="x"'

    def test_ours_among_others(self) -> None:
        found = digest.find_credentials(
            ["NoOneKnowsThisScheme opaque-data=here", "Digest realm=theirs", self.MINE], "mine"
        )
        assert found == digest.parse_credentials(self.MINE)

    def test_none(self) -> None:
        assert digest.find_credentials([], "mine") is None
        assert digest.find_credentials([self.MINE], "other") is None

    def test_incomplete(self) -> None:
        with pytest.raises(PeerError):
            digest.find_credentials(['Digest realm="mine"'], "mine")


class TestRfc8760Section2_4:
    def test_topmost_that_we_can_answer(self) -> None:
        texts = [
            "Basic realm=x",
            'Digest realm="a", nonce="n", algorithm=SHA-512-256',
            'Digest realm="b", nonce="n", qop="token"',
            'Digest realm="c", nonce="n", algorithm=sha-256, qop="auth"',
            'Digest realm="d", nonce="n"',
        ]
        found = digest.find_challenge(texts)
        assert found is not None
        assert found.realm == "c"
        again = digest.find_challenge(texts[4:])
        assert again is not None
        assert again.realm == "d"
        assert digest.find_challenge(texts[:3]) is None


class TestAnswerChallenge:
    def test_rfc_2069(self) -> None:
        made = digest.answer_challenge(
            Challenge("r", "n"), "INVITE", "sip:b@h", "u", "p", cnonce="c"
        )
        assert (made.qop, made.nc, made.cnonce) == (None, None, None)
        ha1 = digest.ha1("u", "r", "p", "MD5")
        assert made.response == digest.response(
            ha1, "INVITE", "sip:b@h", "n", None, None, None, "MD5"
        )

    def test_auth_int_alone(self) -> None:
        challenge = Challenge("r", "n", "SHA-256", ("Auth-Int",), "o")
        made = digest.answer_challenge(
            challenge, "INVITE", "sip:b@h", "u", "p", cnonce="c", count=255, body=b"x"
        )
        assert (made.qop, made.nc, made.cnonce, made.opaque) == ("auth-int", "000000ff", "c", "o")

    def test_sess_needs_the_client_nonce(self) -> None:
        made = digest.answer_challenge(
            Challenge("r", "n", "MD5-sess"), "A", "u", "u", "p", cnonce="c"
        )
        assert (made.qop, made.cnonce) == (None, "c")


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)


class TestProperties:
    @settings(deadline=None)
    @given(TEXT, TEXT, TEXT, TEXT, st.none() | TEXT)
    def test_credentials_are_read_again(
        self, username: str, realm: str, nonce: str, cnonce: str, opaque: str | None
    ) -> None:
        made = Credentials(
            username, realm, nonce, "sip:x", "ab", "MD5", cnonce, "auth", "00000001", opaque
        )
        assert digest.parse_credentials(str(made)) == made

    @settings(deadline=None)
    @given(TEXT, TEXT, st.sampled_from([(), ("auth",), ("auth", "auth-int")]), st.booleans())
    def test_challenge_is_read_again(
        self, realm: str, nonce: str, qop: tuple[str, ...], stale: bool
    ) -> None:
        made = Challenge(realm, nonce, "SHA-256", qop, None, stale)
        assert digest.parse_challenge(str(made)) == made

    @settings(deadline=None)
    @given(st.text(max_size=30) | st.text('ab="\\, \t', max_size=40).map("Digest ".__add__))
    def test_nothing_but_peer_error(self, text: str) -> None:
        for parse in (digest.parse_credentials, digest.parse_challenge):
            try:
                parse(text)
            except PeerError:
                continue
        assert digest.find_challenge([text]) is None or "realm" in text.lower()

    @pytest.mark.timeout(10)
    @pytest.mark.parametrize("unit", [" ", "a", "a=", "a=b,", '"', '\\"', ",", "=", "a b "])
    def test_time_grows_linearly(self, unit: str) -> None:
        for prefix in ("", "Digest ", 'Digest a="', "Digest a=b"):
            try:
                digest.parse_credentials(prefix + unit * 30_000 + "\x00")
            except PeerError:
                continue
