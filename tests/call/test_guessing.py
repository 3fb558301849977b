"""Passwords aren't guessed for ever, and whoever guesses locks nobody else out."""

import logging

import pytest

from pbx.registrar.guessing import MOST_ACCOUNTS, MOST_OF_ACCOUNT, WINDOW_S
from pbx.sip import digest
from pbx.sip.flow import Address
from pbx.sip.message import Response
from tests.call.office import HOME, REALM, Office, Phone

URI = f"sip:{HOME.host}"
NAT = "203.0.113.7"
"""An office's address, as seen from here."""


@pytest.fixture
def office() -> Office:
    return Office()


class Source:
    """A socket at an address: it says what it likes, with whatever password.

    Its REGISTERs have a Call-ID for each user, and `headers`. With a `connection` it speaks TCP.
    """

    def __init__(
        self,
        office: Office,
        host: str = NAT,
        port: int = 40000,
        *,
        connection: int = 0,
        call_id: str = "",
    ) -> None:
        inner = f"[{host}]" if ":" in host else host
        self.phone = Phone(office, "nobody", Address(host, port), connection, inner=inner)
        self.headers = ""
        self.call_id = call_id or str(self.phone.address)
        office.phones[self.phone.address] = self.phone

    def ask(self, number: str, headers: str = "", method: str = "REGISTER") -> Response:
        """Send a request of a user; return its answer."""
        phone = self.phone
        # What comes again because nobody acknowledges it here
        phone.inbox.clear()
        phone.number = number
        address = f"sip:{number}@{HOME.host}"
        uri = URI if method == "REGISTER" else f"sip:101@{HOME.host}"
        phone.request(
            *(method, uri),
            call_id=f"{self.call_id}-{number}",
            cseq=next(phone.office.serial),
            to=f"<{address}>" if method == "REGISTER" else None,
            headers="\n".join(filter(None, [self.headers, headers])),
            body=phone.sdp() if method == "INVITE" else b"",
        )
        answer = phone.inbox.popleft()
        assert isinstance(answer, Response)
        return answer

    def challenged(self, number: str, method: str = "REGISTER") -> digest.Challenge:
        """Have the exchange give a nonce to this source."""
        answer = self.ask(number, method=method)
        return challenge_of(answer)

    def answer(
        self,
        number: str,
        password: str,
        asked: digest.Challenge | None = None,
        method: str = "REGISTER",
    ) -> Response:
        """Answer a challenge, a new one unless said otherwise; return what comes of it."""
        asked = asked or self.challenged(number, method)
        uri = URI if method == "REGISTER" else f"sip:101@{HOME.host}"
        given = digest.answer_challenge(asked, method, uri, number, password, cnonce="c")
        name = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
        return self.ask(number, f"{name}: {given}", method)

    def guess(self, number: str, times: int, method: str = "REGISTER") -> None:
        """Answer so many challenges wrongly."""
        for guess in range(times):
            answer = self.answer(number, f"guess{guess}", method=method)
            assert answer.status == (401 if method == "REGISTER" else 407)


def challenge_of(answer: Response) -> digest.Challenge:
    (value,) = (*answer.all("WWW-Authenticate"), *answer.all("Proxy-Authenticate"))
    return digest.parse_challenge(value)


def registers(source: Source, number: str) -> bool:
    """Whether a phone with the right password gets in."""
    return source.answer(number, f"pw{number}").status == 200


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_after_so_many_guesses_even_the_right_one_is_not_looked_at(
    office: Office, method: str
) -> None:
    guesser = Source(office)
    guesser.guess("100", MOST_OF_ACCOUNT, method)
    answer = guesser.answer("100", "pw100", method=method)
    assert (answer.status, answer.reason) == (503, "Too Many Wrong Passwords")
    assert answer.get("Retry-After") == str(int(WINDOW_S))
    # Another port is no other guesser
    assert not registers(Source(office, port=40001), "100")
    assert registers(Source(office, "203.0.113.8"), "100")
    office.advance(WINDOW_S)
    assert registers(guesser, "100")


def test_guesses_below_the_limit_cost_nothing(office: Office) -> None:
    guesser = Source(office)
    guesser.guess("100", MOST_OF_ACCOUNT - 1)
    assert registers(guesser, "100")


def test_nobody_learns_who_exists(office: Office) -> None:
    guesser = Source(office)
    for number in ("100", "999"):
        guesser.guess(number, MOST_OF_ACCOUNT)
        assert guesser.answer(number, "guess").status == 503


class TestWhoGoesOn:
    def test_a_registered_phone_of_the_same_user(self, office: Office) -> None:
        office.phone("101")
        phone, guesser = Source(office, port=5060), Source(office, port=40000)
        assert registers(phone, "100")
        guesser.guess("100", MOST_OF_ACCOUNT)
        assert not registers(guesser, "100")
        assert registers(phone, "100")
        answer = phone.answer("100", "pw100", method="INVITE")
        assert answer.status == 100

    @pytest.mark.parametrize("connection", [0, 1], ids=["port", "connection"])
    def test_one_that_comes_back_by_another_way(self, office: Office, connection: int) -> None:
        """RFC 3261 §10.2.4: a phone keeps its Call-ID."""
        office.phone("101")
        phone = Source(office, connection=connection, call_id="kept")
        assert registers(phone, "100")
        Source(office, port=40001).guess("100", MOST_OF_ACCOUNT)
        again = Source(office, port=40002, connection=2 * connection, call_id="kept")
        assert registers(again, "100")
        assert again.answer("100", "pw100", method="INVITE").status == 100
        assert not registers(Source(office, port=40003), "100")
        # What somebody else has heard of it is worth nothing elsewhere
        there = Source(office, "203.0.113.8", call_id="kept")
        there.guess("100", MOST_OF_ACCOUNT)
        assert not registers(there, "100")

    def test_other_users_at_the_same_address(self, office: Office) -> None:
        Source(office).guess("100", MOST_OF_ACCOUNT)
        assert registers(Source(office, port=5060), "101")

    def test_a_phone_with_an_old_password_that_gets_a_new_one(self, office: Office) -> None:
        phone = Source(office)
        phone.guess("100", MOST_OF_ACCOUNT)
        assert phone.answer("100", "new").status == 503
        office.set_password("100", "new")
        assert phone.answer("100", "new").status == 200


class TestManyAccounts:
    """One password for each of many users is guessing, too."""

    @pytest.fixture(autouse=True)
    def guessed(self, office: Office) -> None:
        guesser = Source(office)
        assert registers(Source(office, port=5060), "100")
        for number in range(MOST_ACCOUNTS):
            guesser.guess(str(200 + number), 1)

    def test_no_further_one_is_looked_at(self, office: Office) -> None:
        assert not registers(Source(office), "101")
        assert registers(Source(office, "203.0.113.8"), "101")
        office.advance(WINDOW_S)
        assert registers(Source(office), "101")

    def test_who_is_registered_goes_on_by_another_port_too(self, office: Office) -> None:
        assert registers(Source(office, port=5060), "100")
        assert registers(Source(office, port=5062), "100")

    def test_by_a_proxy_each_user_is_counted_alone(self, office: Office) -> None:
        """All of its users have its address, and so has who guesses."""
        proxy = Source(office, "203.0.113.8", 5060)
        proxy.headers = "Path: <sip:203.0.113.8;lr>\nSupported: path"
        assert registers(proxy, "102")
        for number in range(2 * MOST_ACCOUNTS):
            proxy.guess(str(200 + number), 1)
        assert registers(proxy, "101")
        proxy.guess("103", MOST_OF_ACCOUNT)
        assert not registers(proxy, "103")


class TestSharedPath:
    """A proxy, or a router that gives all phones one port: all of their users send by one path."""

    @pytest.fixture
    def shared(self, office: Office) -> Source:
        shared = Source(office, port=5060)
        assert registers(shared, "100")
        assert registers(shared, "101")
        return shared

    def test_who_guesses_has_it_too(self, office: Office, shared: Source) -> None:
        shared.call_id = "guesser"
        shared.guess("100", MOST_OF_ACCOUNT)
        assert not registers(shared, "100")
        assert registers(shared, "101")

    def test_a_phone_is_known_by_its_call_id(self, office: Office, shared: Source) -> None:
        phone, shared.call_id = shared.call_id, "guesser"
        shared.guess("100", MOST_OF_ACCOUNT)
        shared.call_id = phone
        assert registers(shared, "100")

    def test_who_has_it_alone_again(self, office: Office, shared: Source) -> None:
        office.remove_user("101")
        shared.call_id = "guesser"
        shared.guess("100", MOST_OF_ACCOUNT)
        assert registers(shared, "100")


class TestForgery:
    """A datagram's source address is whatever its sender writes on it."""

    def test_answers_to_anothers_challenge_are_not_counted(self, office: Office) -> None:
        thief, forged = Source(office, "198.51.100.66"), Source(office)
        asked = thief.challenged("100")
        for _ in range(2 * MOST_OF_ACCOUNT):
            assert challenge_of(forged.answer("100", "guess", asked)).stale
        assert registers(forged, "100")
        assert office.admission.guessing(office.now) == []

    def test_answers_to_no_challenge_are_not_counted(self, office: Office) -> None:
        forged = Source(office)
        asked = replaced_nonce(forged.challenged("100"))
        for _ in range(2 * MOST_OF_ACCOUNT):
            assert challenge_of(forged.answer("100", "guess", asked)).stale
        assert registers(forged, "100")

    def test_a_challenge_is_good_where_it_was_given_alone(self, office: Office) -> None:
        """Else whoever has two addresses would guess from the one without its being counted."""
        asked = Source(office, "198.51.100.66").challenged("100")
        assert challenge_of(Source(office).answer("100", "pw100", asked)).stale
        assert office.bindings.of("100", office.now) == []


def replaced_nonce(asked: digest.Challenge) -> digest.Challenge:
    """A challenge that was never given."""
    return digest.Challenge(REALM, asked.nonce.replace(asked.nonce[-1], "?"), qop=("auth",))


def test_the_addresses_of_one_network_are_one_source(office: Office) -> None:
    """Any machine has 2**64 of them by IPv6 (RFC 4291 §2.5.1)."""
    for number in range(MOST_OF_ACCOUNT):
        Source(office, f"2001:db8::{number + 1:x}").guess("100", 1)
    assert not registers(Source(office, "2001:db8::ffff"), "100")
    assert registers(Source(office, "2001:db8:0:1::1"), "100")
    assert office.admission.guessing(office.now) == ["2001:db8::/64"]


def test_the_log_says_so_once(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    guesser = Source(office)
    guesser.guess("100", MOST_OF_ACCOUNT)
    for _ in range(3):
        guesser.answer("100", "guess")
    told = [one for one in caplog.records if one.name == "pbx.registrar.guessing"]
    assert [one.levelno for one in told] == [logging.WARNING]
    assert NAT in told[0].getMessage()
    assert office.admission.guessing(office.now) == [NAT]
    office.advance(WINDOW_S)
    assert office.admission.guessing(office.now) == []
