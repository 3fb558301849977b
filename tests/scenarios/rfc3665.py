"""The call flows of RFC 3665, figure by figure, with this exchange where the RFC has proxies.

An exchange is a user agent to both phones, so each figure has its messages on both sides, and where
two proxies challenge a caller one after the other, one exchange does it once. Left out is 3.4, which
is the caller's choice of another proxy when its first is dead: the second sees nothing but 3.1.
"""

from tests.scenarios.pieces import CALL, TALK, answers, changes, ends, registers


def unregistered(title: str) -> tuple[str, ...]:
    """Return the phones that have not registered before a figure begins."""
    return ("bob",) if title.startswith("2.") else ()


def natted(title: str) -> tuple[str, ...]:
    """Return the phones whose addresses a router translates."""
    return ("alice", "bob") if title.startswith("3.5") else ()


_UNHEARD = """
        alice < 480
        alice > ACK
        record CALLEE_UNREACHABLE 18
"""

FIGURES = {
    "2.1 successful new registration": registers("expires=3600"),
    "2.2 update of contact list": registers("expires=3600") + registers("expires=600"),
    "2.3 request for current contact list": """
        bob > REGISTER query
        bob < 401
        bob > REGISTER query auth
        bob < 200
    """,
    "2.4 cancellation of registration": registers("expires=0"),
    "2.5 unsuccessful registration": """
        bob > REGISTER expires=3600
        bob < 401
        bob > REGISTER auth wrong expires=3600
        bob < 401
    """,
    "3.1 successful session establishment": TALK
    + ends("bob", "alice")
    + "record CALLEE_HUNG_UP 16\n",
    "3.2 session establishment through two proxies": TALK
    + ends("alice", "bob")
    + "record CALLER_HUNG_UP 16\n",
    "3.3 session with multiple proxy authentication": CALL
    + "bob > 100\n"
    + answers("bob", "alice")
    + ends("bob", "alice"),
    "3.5 session through a SIP ALG": TALK + ends("alice", "bob") + "record CALLER_HUNG_UP 16\n",
    "3.6 session via redirect with SDP in ACK": """
        alice > INVITE 101 late
        alice < 407
        alice > ACK
        alice > INVITE auth late
        alice < 100
        bob < INVITE
        bob > 302 102
        bob < ACK
        alice < 181
        carol < INVITE
        carol > 180
        alice < 180
        carol > 200 sendrecv
        alice < 200
        alice > ACK sendrecv
        carol < ACK
    """
    + ends("carol", "alice"),
    "3.7 session with re-INVITE": TALK
    + changes("bob", "alice", "sendrecv", "sendrecv")
    + ends("bob", "alice")
    + "record CALLEE_HUNG_UP 16\n",
    "3.8 unsuccessful no answer": CALL
    + """
        bob > 180
        alice < 180
        alice > CANCEL
        alice < 200
        alice < 487
        bob < CANCEL
        bob > 200
        bob > 487 invite
        bob < ACK
        alice > ACK
        record CALLER_CANCELLED 16
    """,
    "3.9 unsuccessful busy": CALL
    + """
        bob > 486
        bob < ACK
        alice < 486
        alice > ACK
        record CALLEE_REJECTED 17
    """,
    "3.10 unsuccessful no response from user agent": CALL
    + """
        wait 0.5
        bob < INVITE
        wait 1
        bob < INVITE
        wait 2
        bob < INVITE
        wait 4
        bob < INVITE
        wait 8
        bob < INVITE
        wait 16
        bob < INVITE
        wait 0.5
    """
    + _UNHEARD,
    "3.11 unsuccessful temporarily unavailable": CALL
    + """
        bob > 180
        alice < 180
        bob > 480
        bob < ACK
        alice < 480
        alice > ACK
    """,
}

FOR_PHONES = {
    title: CALL + _UNHEARD if title.startswith("3.10 ") else figure
    for title, figure in FIGURES.items()
}
"""The same for phones that take what comes again for what it is."""
