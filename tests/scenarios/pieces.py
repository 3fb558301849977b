"""What figures are put together from: how a call begins, is answered, changes and ends."""


def registers(*words: str) -> str:
    """Bob's registration."""
    said = " ".join(words)
    return f"""
        bob > REGISTER {said}
        bob < 401
        bob > REGISTER auth {said}
        bob < 200
    """


def asks(who: str, number: str, *words: str) -> str:
    """An INVITE of `who`, challenged."""
    return f"""
        {who} > INVITE {number}
        {who} < 407
        {who} > ACK
        {who} > INVITE auth {" ".join(words)}
    """


def calls(who: str, number: str, *words: str) -> str:
    """A call of `who`, up to the exchange's 100."""
    return asks(who, number, *words) + f"{who} < 100\n"


def serves(who: str, number: str) -> str:
    """A call to a service of the exchange."""
    return asks(who, number) + f"{who} < 200\n{who} > ACK\n"


def answers(who: str, caller: str) -> str:
    """A call that is answered."""
    return f"""
        {who} > 180
        {caller} < 180
        {who} > 200 sendrecv
        {who} < ACK
        {caller} < 200
        {caller} > ACK
    """


def talk(caller: str, number: str, callee: str) -> str:
    """A call from its beginning to its answer."""
    return calls(caller, number) + f"{callee} < INVITE\n" + answers(callee, caller)


def changes(who: str, other: str, direction: str, answer: str, *words: str) -> str:
    """A re-INVITE of `who`."""
    return f"""
        {who} > INVITE {direction} {" ".join(words)}
        {who} < 100
        {other} < INVITE {direction}
        {other} > 200 {answer}
        {other} < ACK
        {who} < 200 {answer}
        {who} > ACK
    """


def accepts(who: str, *words: str) -> str:
    """A re-INVITE of the exchange's, or an INVITE that is answered at once."""
    return f"""
        {who} < INVITE {" ".join(words)}
        {who} > 200 sendrecv
        {who} < ACK
    """


def leaves(who: str) -> str:
    """A hang-up of `who`, as it sees it."""
    return f"""
        {who} > BYE
        {who} < 200
    """


def dismissed(who: str) -> str:
    """A hang-up of the exchange's."""
    return f"""
        {who} < BYE
        {who} > 200
    """


def ends(who: str, other: str) -> str:
    """A hang-up of `who`, as both see it."""
    return leaves(who) + dismissed(other)


CALL = calls("alice", "101") + "bob < INVITE\n"
TALK = CALL + answers("bob", "alice")
