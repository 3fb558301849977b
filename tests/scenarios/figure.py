"""How a figure of an RFC is written down here: a step a line, read by the players.

    alice > INVITE 101          a request of alice's (``auth``: with the credentials last asked for)
    alice < 407                 what alice hears next: a status, or a request's method
    alice < INVITE sendonly     the same, and that it contains this word; NOTIFY 200: tells of that
    bob < (NOTIFY) 180          one that a later one makes up for, where the network loses it
    bob > 200 sendrecv          bob answers what it heard last; a word for a direction adds SDP
    bob2 > INVITE 102           bob's second line: another call of the same phone
    wait 33                     seconds pass
    record CALLER_HUNG_UP 16    the call's record

Further words of requests: ``late`` (an INVITE without offer), ``focus`` (the phone is the focus of a
conference: RFC 4579), ``join`` (RFC 3911), ``replaces=LINE`` (the call that the line has, or was
notified of), ``expires=N``, ``query``, ``wrong``. Of responses: ``invite`` (to the INVITE, not to
the CANCEL that came behind it) and a number (the Contact of a 302).
"""

from collections.abc import Iterator
from dataclasses import dataclass

NUMBERS = {
    "alice": "100",
    "bob": "101",
    "carol": "102",
    "dave": "103",
    # All of them bob's
    "b1": "101",
    "b2": "101",
    "b3": "101",
    "b4": "101",
}
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a figure.

    Args:
        text: as it is written.
        who: a phone, or a line of one; or ``wait`` or ``record``.
        words: what follows.
    """

    text: str
    who: str
    words: tuple[str, ...]

    @property
    def hears(self) -> bool:
        """Whether it is a message to the phone."""
        return self.words[0] == "<"

    @property
    def what(self) -> str:
        """A method or a status."""
        return self.words[1].strip("()")

    @property
    def passing(self) -> bool:
        """Whether it isn't repeated until it arrives: a provisional response, or in parentheses."""
        return self.words[1].startswith(("(", "1"))

    @property
    def more(self) -> tuple[str, ...]:
        """The words behind that."""
        return self.words[2:]

    @property
    def direction(self) -> str:
        """Of the SDP; empty for none."""
        return next((word for word in self.more if word in DIRECTIONS), "")

    @property
    def dialled(self) -> str:
        """The number; empty for none."""
        return next((word for word in self.more if word.isdigit() or word.startswith("*")), "")

    def value(self, name: str) -> str:
        """Return what follows ``name=``; empty for nothing."""
        return next(
            (word.partition("=")[2] for word in self.more if word.startswith(f"{name}=")), ""
        )


def steps(figure: str) -> list[Step]:
    """Take a figure apart."""
    found = []
    for line in figure.strip().splitlines():
        text = line.partition("#")[0].strip()
        if text:
            who, *words = text.split()
            found.append(Step(text, who, tuple(words)))
    return found


def says(method: str, text: str, word: str) -> bool:
    """Whether a message has the word that a figure gives; NOTIFY: whether it tells of the state."""
    if method == "NOTIFY":
        return (f"SIP/2.0 {word} " if word.isdigit() else f">{word}<") in text
    return word in text


def phone_of(line: str) -> str:
    """Return the phone whose line it is: ``bob2`` is a line of ``bob``."""
    return line if line in NUMBERS else line[:-1]


def phones_in(figure: list[Step]) -> Iterator[str]:
    """Yield the phones that take part, each once."""
    seen = set()
    for step in figure:
        name = phone_of(step.who)
        if name in NUMBERS and name not in seen:
            seen.add(name)
            yield name
