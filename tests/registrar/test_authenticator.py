"""Digest authentication of local users: RFC 7616 §3.4 to §5, RFC 3261 §22."""

import re

import pytest

from pbx.errors import PeerError
from pbx.registrar import authenticator
from pbx.registrar.account import Account
from pbx.registrar.authenticator import NONCE_LIFE_S, Authenticator, Verdict
from pbx.registrar.standing import Standing
from pbx.sip import digest
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request

REALM = "minisipserver"
URI = "sip:192.0.2.1"
HOME = Address("192.0.2.1", 5060)
PHONE = Flow("udp", HOME, Address("192.0.2.7", 5060))


def ha1(algorithm: str = "MD5", password: str = "secret", user: str = "100") -> str:
    return digest.ha1(user, REALM, password, algorithm)


@pytest.fixture
def auth() -> Authenticator:
    accounts = {
        "100": Account("100", "MD5", ha1()),
        "200": Account("200", "SHA-256", ha1("SHA-256", user="200")),
    }
    return Authenticator(REALM, b"key", accounts.get, lambda *of: Standing.STRANGER)


def nonce_of(auth: Authenticator, now: float = 0.0) -> str:
    found = re.search(r'nonce="([^"]+)"', auth.challenge("MD5", PHONE, stale=False, now=now))
    assert found is not None
    return found[1]


def request(
    nonce: str,
    *,
    user: str = "100",
    password: str = "secret",
    nc: str | None = "00000001",
    uri: str = URI,
    request_uri: str = URI,
    algorithm: str = "MD5",
    realm: str = REALM,
    header: str = "Authorization",
    method: str = "REGISTER",
) -> Request:
    key = digest.ha1(user, realm, password, algorithm)
    qop = None if nc is None else "auth"
    cnonce = None if nc is None else "c0ffee"
    answer = digest.response(key, method, uri, nonce, nc, cnonce, qop, algorithm)
    text = (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'response="{answer}", algorithm={algorithm}'
    )
    if nc is not None:
        text += f', qop=auth, nc={nc}, cnonce="{cnonce}"'
    return Request(method, request_uri, [("Call-ID", "c"), (header, text)])


def verdict(auth: Authenticator, message: Request, now: float = 0.0) -> Verdict:
    return auth.check(message, PHONE, proxy=False, now=now)[0]


class TestRfc7616Section3_4:
    """The Authorization header field."""

    def test_the_right_password_proves_the_user(self, auth: Authenticator) -> None:
        assert auth.check(request(nonce_of(auth)), PHONE, proxy=False, now=1.0) == (
            Verdict.GOOD,
            "100",
        )

    def test_sha_256_where_the_user_has_it(self, auth: Authenticator) -> None:
        assert "algorithm=SHA-256" in auth.challenge("SHA-256", PHONE, stale=False, now=0.0)
        message = request(nonce_of(auth), user="200", algorithm="SHA-256")
        assert verdict(auth, message) is Verdict.GOOD

    def test_a_weaker_algorithm_than_the_users_own_is_refused(self, auth: Authenticator) -> None:
        assert verdict(auth, request(nonce_of(auth), user="200")) is Verdict.WRONG

    def test_without_quality_of_protection_as_rfc_2069_had_it(self, auth: Authenticator) -> None:
        assert verdict(auth, request(nonce_of(auth), nc=None)) is Verdict.GOOD

    @pytest.mark.parametrize(("user", "password"), [("100", "guess"), ("999", "secret")])
    def test_wrong_password_and_unknown_user_look_alike(
        self, auth: Authenticator, user: str, password: str
    ) -> None:
        fresh = request(nonce_of(auth), user=user, password=password)
        assert verdict(auth, fresh) is Verdict.WRONG
        foreign = request("made-up", user=user, password=password)
        assert verdict(auth, foreign) is Verdict.STALE

    def test_no_credentials_for_our_realm(self, auth: Authenticator) -> None:
        assert verdict(auth, Request("REGISTER", URI)) is Verdict.MISSING
        assert verdict(auth, request(nonce_of(auth), realm="else")) is Verdict.MISSING

    def test_proxy_credentials_are_looked_for_after_407(self, auth: Authenticator) -> None:
        message = request(nonce_of(auth), header="Proxy-Authorization")
        assert verdict(auth, message) is Verdict.MISSING
        assert auth.check(message, PHONE, proxy=True, now=0.0) == (Verdict.GOOD, "100")

    @pytest.mark.parametrize(
        "request_uri", ["sip:192.0.2.9", "sip:101@192.0.2.1", "tel:+4930", "sip:192.0.2.1:5062"]
    )
    def test_credentials_for_another_uri_are_refused(
        self, auth: Authenticator, request_uri: str
    ) -> None:
        message = request(nonce_of(auth), uri="sip:192.0.2.1:5060", request_uri=request_uri)
        with pytest.raises(PeerError) as caught:
            auth.check(message, PHONE, proxy=False, now=0.0)
        assert caught.value.status == 400

    def test_a_parameter_left_out_of_the_uri_is_no_other_uri(self, auth: Authenticator) -> None:
        message = request(nonce_of(auth), request_uri=f"{URI};transport=tcp")
        assert verdict(auth, message) is Verdict.GOOD

    def test_protection_of_the_body_is_not_offered(self, auth: Authenticator) -> None:
        message = request(nonce_of(auth))
        message.set(
            "Authorization",
            (message.get("Authorization") or "").replace("qop=auth", "qop=auth-int"),
        )
        with pytest.raises(PeerError):
            auth.check(message, PHONE, proxy=False, now=0.0)


class TestRfc7616Section5_4:
    """Replay."""

    def test_a_nonce_count_is_good_once(self, auth: Authenticator) -> None:
        nonce = nonce_of(auth)
        assert verdict(auth, request(nonce)) is Verdict.GOOD
        assert verdict(auth, request(nonce)) is Verdict.STALE
        assert verdict(auth, request(nonce, nc="00000002")) is Verdict.GOOD

    def test_counts_may_come_out_of_order_but_not_twice(self, auth: Authenticator) -> None:
        nonce = nonce_of(auth)
        verdicts = [
            verdict(auth, request(nonce, nc=nc))
            for nc in ("00000003", "00000001", "00000001", "00000000")
        ]
        assert verdicts == [Verdict.GOOD, Verdict.GOOD, Verdict.STALE, Verdict.STALE]

    def test_a_count_may_leap(self, auth: Authenticator) -> None:
        """By 2**32 at once, which must cost neither time nor memory."""
        nonce = nonce_of(auth)
        assert verdict(auth, request(nonce, nc="00000001")) is Verdict.GOOD
        assert verdict(auth, request(nonce, nc="ffffffff")) is Verdict.GOOD
        assert verdict(auth, request(nonce, nc="ffffffff")) is Verdict.STALE
        assert verdict(auth, request(nonce, nc="fffffffe")) is Verdict.GOOD
        assert verdict(auth, request(nonce, nc="00000001")) is Verdict.STALE

    def test_a_count_too_far_behind_is_not_believed(self, auth: Authenticator) -> None:
        nonce = nonce_of(auth)
        verdict(auth, request(nonce, nc="00000100"))
        assert verdict(auth, request(nonce, nc="00000001")) is Verdict.STALE

    def test_without_a_count_a_nonce_is_good_once(self, auth: Authenticator) -> None:
        nonce = nonce_of(auth)
        assert verdict(auth, request(nonce, nc=None)) is Verdict.GOOD
        assert verdict(auth, request(nonce, nc=None)) is Verdict.STALE

    def test_a_nonce_grows_old(self, auth: Authenticator) -> None:
        nonce = nonce_of(auth, now=100.0)
        assert verdict(auth, request(nonce), now=100.0 + NONCE_LIFE_S) is Verdict.GOOD
        late = request(nonce, nc="00000002")
        assert verdict(auth, late, now=101.0 + NONCE_LIFE_S) is Verdict.STALE

    @pytest.mark.parametrize("nonce", ["\udcff.\udcff.\udcff", "x.y.\udcff", "..", ".", "ÿ"])
    def test_a_nonce_of_no_known_characters_is_stale(self, auth: Authenticator, nonce: str) -> None:
        assert verdict(auth, request(nonce)) is Verdict.STALE

    def test_a_nonce_of_another_start_is_stale(self, auth: Authenticator) -> None:
        other = Authenticator(REALM, b"other key", lambda user: None, lambda *of: Standing.STRANGER)
        assert verdict(auth, request(nonce_of(other))) is Verdict.STALE

    def test_a_count_that_is_no_number(self, auth: Authenticator) -> None:
        with pytest.raises(PeerError):
            auth.check(request(nonce_of(auth), nc="none"), PHONE, proxy=False, now=0.0)

    def test_a_nonce_whose_counts_are_forgotten_is_stale(
        self, auth: Authenticator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(authenticator, "NONCES_REMEMBERED", 2)
        nonces = [nonce_of(auth) for _ in range(3)]
        assert [verdict(auth, request(nonce)) for nonce in nonces] == [Verdict.GOOD] * 3
        assert verdict(auth, request(nonces[0])) is Verdict.STALE

    def test_a_stale_nonce_is_told_so(self, auth: Authenticator) -> None:
        assert "stale=true" in auth.challenge("MD5", PHONE, stale=True, now=0.0).lower()
