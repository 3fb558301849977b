"""The service examples of RFC 5359, figure by figure, with this exchange between the phones.

What the RFC's proxies and phones do among themselves, a phone does here with the exchange: it sees one
dialog each, and a transfer moves what is behind it. Where the RFC has a service of a proxy or of
another server that this exchange hasn't, a phone does it: it forwards by 302, screens who calls, plays
the music, or parks the call in a room of the exchange. Left out is 2.14, which is nothing but an
administrator's list: phones have no say in it.
"""

from tests.scenarios.pieces import (
    CALL,
    TALK,
    accepts,
    answers,
    asks,
    calls,
    changes,
    dismissed,
    ends,
    leaves,
    serves,
    talk,
)

_HOLD = changes("bob", "alice", "sendonly", "recvonly")
_RESUME = changes("bob", "alice", "sendrecv", "sendrecv")
_END = ends("alice", "bob") + "record CALLER_HUNG_UP 16\n"
_CAROL = answers("carol", "alice") + ends("alice", "carol")
_FORWARDED = """
        bob > 302 102
        bob < ACK
        alice < 181
        carol < INVITE
"""
_REFERRED = """
        bob < 202
        bob < (NOTIFY) 100
        bob > 200
"""
_DONE = "bob < NOTIFY 200\nbob > 200\n" + dismissed("bob")
_INTO_ROOM = "bob > REFER *6*7\n" + _REFERRED + _DONE + accepts("alice")

FIGURES = {
    "2.1 call hold": TALK + _HOLD + _RESUME + _END,
    "2.2 consultation hold": TALK
    + _HOLD
    + talk("bob2", "102", "carol")
    + ends("bob2", "carol")
    + _RESUME
    + ends("alice", "bob"),
    # Bob's phone offers Alice's session to the music as its own (third-party call control)
    "2.3 music on hold": TALK
    + """
        bob > INVITE late
        bob < 100
        alice < INVITE
        alice > 200 sendrecv
        bob < 200 sendrecv
    """
    + serves("bob2", "*46")
    + """
        bob > ACK sendonly
        alice < ACK sendonly
    """
    + leaves("bob2")
    + _RESUME
    + ends("alice", "bob"),
    "2.4 transfer, unattended": TALK
    + "bob > REFER 102\n"
    + _REFERRED
    + """
        carol < INVITE
        carol > 180
        bob < (NOTIFY) 180
        bob > 200
        carol > 200 sendrecv
        carol < ACK
    """
    + accepts("alice")
    + _DONE
    + ends("carol", "alice"),
    "2.5 transfer, attended": TALK
    + _HOLD
    + talk("bob2", "102", "carol")
    + changes("bob2", "carol", "sendonly", "recvonly")
    + "bob > REFER 102 replaces=bob2\n"
    + _REFERRED
    + _DONE
    + dismissed("bob2")
    + accepts("carol", "sendrecv")
    + accepts("alice", "sendrecv")
    + ends("carol", "alice"),
    # Carol takes the call by a transfer of Bob's: nobody may take one that goes on by its name alone
    "2.6 transfer, instant messaging": TALK
    + """
        bob2 > MESSAGE 102
        bob2 < 407
        bob2 > MESSAGE auth
        carol2 < MESSAGE line
        carol2 > 200
        bob2 < 200
        bob > REFER 102
    """
    + _REFERRED
    + accepts("carol")
    + accepts("alice")
    + _DONE
    + ends("alice", "carol"),
    "2.7 call forwarding unconditional": CALL + _FORWARDED + _CAROL + "record CALLER_HUNG_UP 16\n",
    "2.8 call forwarding, busy": talk("dave", "101", "bob2")
    + CALL
    + _FORWARDED
    + _CAROL
    + ends("dave", "bob2"),
    "2.9 call forwarding, no answer": CALL
    + """
        bob > 180
        alice < 180
        wait 20
    """
    + _FORWARDED
    + _CAROL.replace("alice < 180", "", 1)
    + "record CALLER_HUNG_UP 16\n",
    # Bob's phone mixes
    "2.10 three-way conference, third party is added": TALK
    + changes("bob", "alice", "sendrecv", "sendrecv", "focus")
    + talk("bob2", "102", "carol")
    + ends("alice", "bob")
    + ends("carol", "bob2"),
    "2.10 the same in a room of the exchange": TALK
    + serves("bob2", "*6*7")
    + serves("carol", "*6*7")
    + _INTO_ROOM
    + leaves("alice")
    + leaves("carol")
    + leaves("bob2"),
    # RFC 3911 isn't for others' calls here: who joins calls, and whose phone mixes takes the call
    "2.11 three-way conference, third party joins": TALK
    + asks("carol", "101", "join")
    + """
        carol < 420 join
        carol > ACK
    """
    + talk("carol2", "101", "bob2")
    .replace("bob2 > 200", "FOCUS bob2 > 200")
    .replace("FOCUS", changes("bob", "alice", "sendrecv", "sendrecv", "focus"))
    + ends("alice", "bob")
    + ends("carol2", "bob2"),
    # All of Bob's phones at once, where the RFC's proxy tries one after the other
    "2.12 find-me": calls("alice", "101")
    + """
        b1 < INVITE
        b2 < INVITE
        b3 < INVITE
        b4 < INVITE
        b1 > 180
        alice < 180
        b2 > 480
        b2 < ACK
        b3 > 486
        b3 < ACK
        b4 > 200 sendrecv
        b4 < ACK
        alice < 200
        alice > ACK
        b1 < CANCEL
        b1 > 200
        b1 > 487 invite
        b1 < ACK
    """
    + ends("b4", "alice")
    + "record CALLEE_HUNG_UP 16\n",
    # The phone has the list
    "2.13 incoming call screening": CALL
    + """
        bob > 403
        bob < ACK
        alice < 403
        alice > ACK
    """,
    "2.15 call park": TALK
    + _INTO_ROOM
    + serves("carol", "*6*7")
    + leaves("carol")
    + leaves("alice"),
    "2.16 call pickup": CALL
    + """
        bob > 180
        alice < 180
        carol2 > SUBSCRIBE 101
        carol2 < 401
        carol2 > SUBSCRIBE auth
        carol2 < 200
        carol2 < NOTIFY early
        carol2 > 200
    """
    + asks("carol", "101", "replaces=carol2")
    + """
        carol < 200
        bob < CANCEL
        bob > 200
        bob > 487 invite
        bob < ACK
        carol > ACK
        alice < 200
        alice > ACK
        wait 1
        carol2 < NOTIFY terminated
        carol2 > 200
        carol2 > SUBSCRIBE expires=0
        carol2 < 200
        carol2 < NOTIFY
        carol2 > 200
    """
    + ends("alice", "carol")
    + "record CALLER_HUNG_UP 16\n",
    "2.17 automatic redial": talk("dave", "101", "bob")
    + calls("alice", "101")
    + """
        bob2 < INVITE
        bob2 > 486
        bob2 < ACK
        alice < 486
        alice > ACK
        alice2 > SUBSCRIBE 101
        alice2 < 401
        alice2 > SUBSCRIBE auth
        alice2 < 200
        alice2 < NOTIFY confirmed
        alice2 > 200
    """
    + ends("dave", "bob")
    + """
        wait 1
        alice2 < NOTIFY terminated
        alice2 > 200
    """
    + calls("alice3", "101")
    + """
        bob3 < INVITE
        bob3 > 180
        alice3 < 180
        wait 1
        alice2 < NOTIFY early
        alice2 > 200
        bob3 > 200 sendrecv
        bob3 < ACK
        alice3 < 200
        alice3 > ACK
        wait 1
        alice2 < NOTIFY confirmed
        alice2 > 200
        alice2 > SUBSCRIBE expires=0
        alice2 < 200
        alice2 < NOTIFY confirmed
        alice2 > 200
    """
    + ends("alice3", "bob3"),
    # A PC tells Bob's phone; the exchange sees who is called then
    "2.18 click to dial": talk("bob", "102", "carol")
    + ends("carol", "bob")
    + "record CALLEE_HUNG_UP 16\n",
}
