"""A client's answers to challenges, by section of RFC 3261 §22 and RFC 7616."""

import itertools

import pytest

from pbx.sip import digest
from pbx.sip.authorization import (
    MOST_REMEMBERED,
    ROUNDS_LIMIT,
    Authorizer,
    credentials_in,
)
from pbx.sip.digest import Credentials, parse_credentials
from pbx.sip.message import Request, Response, response_to

USER, PASSWORD = "+8613800000000@gd.example", "s3cret"
URI = "sip:+8613901088888@ims.example;user=phone"


@pytest.fixture
def account() -> Authorizer:
    return authorizer()


def authorizer(password: str = PASSWORD) -> Authorizer:
    numbers = itertools.count(1)
    return Authorizer(USER, password, lambda: f"token{next(numbers)}")


def invite(call_id: str = "call", cseq: int = 1, method: str = "INVITE") -> Request:
    headers = [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport"),
        ("Route", "<sip:proxy.example;lr>"),
        ("From", "<sip:100@ims.example>;tag=ours"),
        ("To", f"<{URI}>"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"),
        ("Max-Forwards", "70"),
    ]
    return Request(method, URI, headers, b"v=0\r\n")


def challenged(request: Request, *texts: str, status: int = 401) -> Response:
    """A response with these challenges: parameters of WWW-Authenticate, or of the proxies' kind."""
    response = response_to(request, status, to_tag="theirs")
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    for text in texts:
        response.add(name, f"Digest {text}")
    return response


def asks(nonce: str = "n1", realm: str = "ims.example", more: str = 'qop="auth"') -> str:
    return f'realm="{realm}", nonce="{nonce}", {more}'


def given(request: Request | None, name: str = "Authorization") -> list[Credentials]:
    assert request is not None
    return [parse_credentials(text) for text in request.values(name)]


def answered(account: Authorizer, request: Request, *texts: str, status: int = 401) -> Request:
    again = account.answer(request, challenged(request, *texts, status=status))
    assert again is not None
    return again


def right(request: Request, one: Credentials, password: str = PASSWORD) -> bool:
    """Whether a server that knows the password would take them."""
    return one.response == digest.response(
        digest.ha1(USER, one.realm, password, one.algorithm),
        request.method,
        one.uri,
        one.nonce,
        one.nc,
        one.cnonce,
        one.qop,
        one.algorithm,
        request.body,
    )


class TestRfc3261Section22_2:
    def test_the_request_goes_out_again_and_nothing_else_changes(self, account: Authorizer) -> None:
        request = invite()
        again = answered(account, request, asks())
        assert (again.method, again.uri, again.body) == ("INVITE", URI, b"v=0\r\n")
        for name in ("From", "To", "Call-ID", "Route", "Max-Forwards"):
            assert again.get(name) == request.get(name)
        assert again.get("CSeq") == "2 INVITE"
        assert again.get("Via") is None
        (one,) = given(again)
        assert (one.username, one.realm, one.nonce, one.nc) == (
            USER,
            "ims.example",
            "n1",
            "00000001",
        )
        assert right(again, one)
        # What was challenged stays as it was sent: a CANCEL or an ACK may still be made from it.
        assert (request.get("CSeq"), request.get("Authorization")) == ("1 INVITE", None)

    def test_T1_7_the_uri_is_the_request_uri_with_its_parameters(self, account: Authorizer) -> None:
        (one,) = given(answered(account, invite(), asks()))
        assert one.uri == URI

    def test_credentials_are_used_again_under_the_same_call_id(self, account: Authorizer) -> None:
        answered(account, invite(), asks())
        bye = invite(cseq=3, method="BYE")
        account.authorize(bye)
        (one,) = given(bye)
        assert (one.nonce, one.nc) == ("n1", "00000002")
        assert right(bye, one)
        another = invite("another")
        account.authorize(another)
        assert credentials_in(another) == []

    def test_an_empty_password(self) -> None:
        again = answered(authorizer(""), invite(), asks())
        assert right(again, given(again)[0], "")


class TestRfc3261Section22_3:
    def test_a_proxy_asks(self, account: Authorizer) -> None:
        again = answered(account, invite(), asks(), status=407)
        (one,) = given(again, "Proxy-Authorization")
        assert right(again, one)
        assert given(again) == []

    def test_proxies_one_behind_the_other(self, account: Authorizer) -> None:
        """The first one needs its credentials again, with another count."""
        second = answered(account, invite(), asks("n1", "outer"), status=407)
        third = answered(account, second, asks("n2", "inner"), status=407)
        last = answered(account, third, asks("n3", "home"))
        assert [(one.realm, one.nonce, one.nc) for one in given(last, "Proxy-Authorization")] == [
            ("outer", "n1", "00000003"),
            ("inner", "n2", "00000002"),
        ]
        (home,) = given(last)
        assert (home.realm, home.nc) == ("home", "00000001")
        assert last.get("CSeq") == "4 INVITE"
        assert all(right(last, one) for one in (*given(last, "Proxy-Authorization"), home))

    def test_a_forking_proxy_brings_several_challenges(self, account: Authorizer) -> None:
        request = invite()
        response = challenged(request, asks("n1", "a"), asks("n2", "b"), status=407)
        response.add("WWW-Authenticate", f"Digest {asks('n3', 'c')}")
        again = account.answer(request, response)
        assert [one.realm for one in given(again, "Proxy-Authorization")] == ["a", "b"]
        assert [one.realm for one in given(again)] == ["c"]


class TestRfc3261Section22_1:
    def test_refused_credentials_are_not_tried_again(self, account: Authorizer) -> None:
        again = answered(account, invite(), asks("n1"))
        assert account.answer(again, challenged(again, asks("n2"))) is None

    def test_and_not_of_one_realm_where_another_asks_beside(self, account: Authorizer) -> None:
        again = answered(account, invite(), asks("n1", "a"), status=407)
        refusal = challenged(again, asks("n2", "a"), asks("n3", "b"), status=407)
        assert account.answer(again, refusal) is None

    def test_a_stale_nonce_is_no_refusal(self, account: Authorizer) -> None:
        again = answered(account, invite(), asks("n1"))
        once_more = answered(account, again, asks("n2", more='qop="auth", stale=TRUE'))
        (one,) = given(once_more)
        assert (one.nonce, one.nc) == ("n2", "00000001")

    def test_a_nonce_that_comes_back_as_stale_is_one(self, account: Authorizer) -> None:
        again = answered(account, invite(), asks("n1"))
        assert account.answer(again, challenged(again, asks("n1", more="stale=true"))) is None

    def test_stale_without_end_ends(self, account: Authorizer) -> None:
        request: Request | None = invite()
        rounds = -1
        while request is not None:
            rounds += 1
            text = asks(f"n{rounds}", more="stale=true")
            request = account.answer(request, challenged(request, text))
        assert rounds == ROUNDS_LIMIT

    def test_what_was_known_before_may_be_too_old_without_being_called_stale(
        self, account: Authorizer
    ) -> None:
        """RFC 7616 §3.6: the server may return a 401 with a new nonce; once."""
        answered(account, invite(), asks("n1"))
        later = invite(cseq=3, method="BYE")
        account.authorize(later)
        again = answered(account, later, asks("n2"))
        assert [one.nonce for one in given(again)] == ["n2"]
        assert account.answer(again, challenged(again, asks("n3"))) is None

    def test_a_later_try_begins_anew(self, account: Authorizer) -> None:
        """The administrator may have put the account right at the carrier meanwhile."""
        again = answered(account, invite(), asks("n1"))
        assert account.answer(again, challenged(again, asks("n2"))) is None
        later = invite(cseq=3)
        account.authorize(later)
        assert credentials_in(later) == []
        answered(account, later, asks("n4"))

    def test_two_requests_at_once_are_each_refused_once(self, account: Authorizer) -> None:
        one, other = invite(cseq=1), invite(cseq=5, method="BYE")
        one, other = answered(account, one, asks("n1")), answered(account, other, asks("n2"))
        assert account.answer(one, challenged(one, asks("n3"))) is None
        assert account.answer(other, challenged(other, asks("n4"))) is None

    def test_what_its_connection_took_along_goes_out_once_more_as_the_same_try(
        self, account: Authorizer
    ) -> None:
        lost = answered(account, invite(), asks("n1"))
        again = account.repeat(lost)
        assert (again.get("CSeq"), lost.get("CSeq")) == ("3 INVITE", "2 INVITE")
        (one,) = given(again)
        # Where the server has seen the lost one, its count is used up
        assert (one.nonce, one.nc) == ("n1", "00000002")
        assert right(again, one)
        assert account.answer(again, challenged(again, asks("n2"))) is None

    def test_an_ack_gets_the_invites_credentials(self, account: Authorizer) -> None:
        request = invite()
        response = challenged(request, asks("n1"), status=401)
        response.add("Proxy-Authenticate", f"Digest {asks('n2')}")
        again = account.answer(request, response)
        assert again is not None
        assert sorted(name for name, _ in credentials_in(again)) == [
            "Authorization",
            "Proxy-Authorization",
        ]


class TestWhatCannotBeAnswered:
    @pytest.mark.parametrize(
        "text",
        ['realm="x"', 'realm="x", nonce="n", algorithm=SHA-1', 'realm="x", nonce="n", qop="other"'],
    )
    def test_a_challenge(self, account: Authorizer, text: str) -> None:
        request = invite()
        assert account.answer(request, challenged(request, text)) is None

    def test_none_at_all(self, account: Authorizer) -> None:
        request = invite()
        assert account.answer(request, challenged(request)) is None
        basic = challenged(request)
        basic.add("WWW-Authenticate", 'Basic realm="x"')
        assert account.answer(request, basic) is None


class TestRfc7616:
    def test_section_3_3_auth_int_protects_the_body(self, account: Authorizer) -> None:
        again = answered(account, invite(), asks(more='qop="auth-int"'))
        (one,) = given(again)
        assert one.qop == "auth-int"
        assert right(again, one)
        changed = Request(again.method, again.uri, again.headers, b"v=1\r\n")
        assert not right(changed, one)

    def test_section_3_7_both_algorithms_the_topmost_counts(self, account: Authorizer) -> None:
        texts = [asks("n1", more=f"algorithm={one}") for one in ("SHA-256", "MD5")]
        again = answered(account, invite(), *texts)
        (one,) = given(again)
        assert one.algorithm == "SHA-256"
        assert right(again, one)

    def test_one_that_nobody_knows_is_passed_over(self, account: Authorizer) -> None:
        texts = [asks("n1", more=f"algorithm={one}") for one in ("SHA-512-256", "MD5")]
        assert given(answered(account, invite(), *texts))[0].algorithm == "MD5"

    def test_section_3_4_2_a_session_keeps_its_first_cnonce(self, account: Authorizer) -> None:
        more = 'qop="auth", algorithm=MD5-sess, opaque="o"'
        (first,) = given(answered(account, invite(), asks("n1", more=more)))
        bye = invite(cseq=3, method="BYE")
        account.authorize(bye)
        (second,) = given(bye)
        assert (first.cnonce, first.opaque) == (second.cnonce, "o")
        assert right(bye, second)

    def test_section_3_4_a_nonce_that_is_asked_for_again_counts_on(
        self, account: Authorizer
    ) -> None:
        answered(account, invite(), asks("n1"))
        (one,) = given(answered(account, invite(cseq=7, method="BYE"), asks("n1")))
        assert one.nc == "00000002"

    def test_section_3_4_without_qop_as_rfc_2069_had_it(self, account: Authorizer) -> None:
        again = answered(account, invite(), asks(more="algorithm=MD5"))
        (one,) = given(again)
        assert (one.qop, one.nc, one.cnonce) == (None, None, None)
        assert right(again, one)


class TestMemory:
    def test_quiet_calls_are_forgotten(self, account: Authorizer) -> None:
        for number in range(MOST_REMEMBERED + 1):
            answered(account, invite(f"call{number}"), asks())
        first, last = invite("call0", 3), invite(f"call{MOST_REMEMBERED}", 3)
        for request in (first, last):
            account.authorize(request)
        assert credentials_in(first) == []
        assert len(credentials_in(last)) == 1

    def test_so_are_requests_that_nobody_asked_for_again(self, account: Authorizer) -> None:
        again = answered(account, invite(), asks("n1"))
        for number in range(20):
            answered(account, invite(cseq=10 * number + 10, method="INFO"), asks("n2"))
        # One more try is all that it costs.
        once_more = answered(account, again, asks("n3"))
        assert account.answer(once_more, challenged(once_more, asks("n4"))) is None

    def test_the_password_is_not_shown(self, account: Authorizer) -> None:
        assert PASSWORD not in repr(account)


class TestManyRealms:
    def test_only_the_latest_are_remembered(self, account: Authorizer) -> None:
        """A server that names another realm each time: the requests grew until none could be read."""
        for number in range(50):
            answered(account, invite(cseq=2 * number + 1), asks(realm=f"r{number}"))
        request = invite(cseq=101)
        account.authorize(request)
        found = given(request)
        assert len(found) == 8
        assert found[-1].realm == "r49"
