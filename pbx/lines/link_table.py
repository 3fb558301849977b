"""What a line does about its server, as a table (RFC 3261 §10.2, RFC 5626 §4.5).

One machine for both kinds: an external line asks by REGISTER, a trunk by OPTIONS. Every cell is
there, so that a hole is seen: `IGNORE` is a decision.
"""

from dataclasses import dataclass
from enum import Enum, auto

from pbx.lines.state import Phase


class LinkInput(Enum):
    """What happens to a link."""

    START = auto()
    """It is to be used; or its options have changed."""
    FOUND = auto()
    """There is an address to go to."""
    MISSING = auto()
    """There is none."""
    GRANTED = auto()
    """The server has said yes."""
    AGAIN = auto()
    """The request is worth sending again: a challenge, a 423."""
    REDIRECTED = auto()
    """The server has named another one."""
    ELSEWHERE = auto()
    """This address is of no use, and another one is left."""
    FAILED = auto()
    """The server has said no, or no address is left."""
    DUE = auto()
    """It is time to ask again."""
    MOVED = auto()
    """Our own address towards the server isn't what it was."""
    LOST = auto()
    """The connection has ended, or a call has found nobody."""
    LEAVE = auto()
    """It isn't to be used any more, and the server holds something of ours."""
    STOP = auto()
    """It isn't to be used any more."""

    # Enum's own hash is a Python function; members are singletons, so identity serves.
    __hash__ = object.__hash__


class LinkAction(Enum):
    """What a link does for a row, in the row's order; those that lead to the next input are last."""

    HOLD = auto()
    """Calls may go out; ask again before what has been granted ends."""
    LET_GO = auto()
    """No calls any more."""
    BACK_OFF = auto()
    """Ask again after a while."""
    FORGIVE = auto()
    """What has failed before counts no more: whatever it was, something has changed."""
    LOCATE = auto()
    SEND = auto()
    SEND_FAREWELL = auto()
    END = auto()
    """Nothing of it is to come any more."""

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One cell.

    Args:
        phase: the next one; None stays.
        actions: in order.
    """

    phase: Phase | None
    actions: tuple[LinkAction, ...] = ()


IGNORE = LinkRow(None)
"""Nothing happens."""

_OFF, _LOC, _ASK = Phase.OFF, Phase.LOCATING, Phase.ASKING
_UP, _DOWN, _LEAVING = Phase.UP, Phase.DOWN, Phase.LEAVING
_I, _A = LinkInput, LinkAction

_BEGIN = LinkRow(_LOC, (_A.FORGIVE, _A.LOCATE))
_ONCE_MORE = LinkRow(_LOC, (_A.LOCATE,))
_LEAVE = LinkRow(_LEAVING, (_A.LET_GO, _A.SEND_FAREWELL))
_STOP = LinkRow(_OFF, (_A.LET_GO, _A.END))
_FAIL = LinkRow(_DOWN, (_A.LET_GO, _A.BACK_OFF))
_HOLD = LinkRow(_UP, (_A.HOLD,))

TABLE: dict[tuple[Phase, LinkInput], LinkRow] = {
    # Off
    (_OFF, _I.START): _BEGIN,
    (_OFF, _I.FOUND): IGNORE,
    (_OFF, _I.MISSING): IGNORE,
    (_OFF, _I.GRANTED): IGNORE,
    (_OFF, _I.AGAIN): IGNORE,
    (_OFF, _I.REDIRECTED): IGNORE,
    (_OFF, _I.ELSEWHERE): IGNORE,
    (_OFF, _I.FAILED): IGNORE,
    (_OFF, _I.DUE): IGNORE,
    (_OFF, _I.MOVED): IGNORE,
    (_OFF, _I.LOST): IGNORE,
    (_OFF, _I.LEAVE): IGNORE,
    (_OFF, _I.STOP): IGNORE,
    # Locating: the answer always comes, be it that nobody knows
    (_LOC, _I.START): _BEGIN,
    (_LOC, _I.FOUND): LinkRow(_ASK, (_A.SEND,)),
    (_LOC, _I.MISSING): _FAIL,
    (_LOC, _I.GRANTED): IGNORE,
    (_LOC, _I.AGAIN): IGNORE,
    (_LOC, _I.REDIRECTED): IGNORE,
    (_LOC, _I.ELSEWHERE): IGNORE,
    (_LOC, _I.FAILED): IGNORE,
    (_LOC, _I.DUE): IGNORE,
    (_LOC, _I.MOVED): _BEGIN,
    (_LOC, _I.LOST): IGNORE,
    (_LOC, _I.LEAVE): _LEAVE,
    (_LOC, _I.STOP): _STOP,
    # Asking
    (_ASK, _I.START): _BEGIN,
    (_ASK, _I.FOUND): IGNORE,
    (_ASK, _I.MISSING): IGNORE,
    (_ASK, _I.GRANTED): _HOLD,
    (_ASK, _I.AGAIN): LinkRow(_ASK, (_A.SEND,)),
    (_ASK, _I.REDIRECTED): _ONCE_MORE,
    (_ASK, _I.ELSEWHERE): LinkRow(_ASK, (_A.SEND,)),
    (_ASK, _I.FAILED): _FAIL,
    (_ASK, _I.DUE): IGNORE,
    (_ASK, _I.MOVED): _BEGIN,
    # The request's own transaction hears of it too, and knows better.
    (_ASK, _I.LOST): IGNORE,
    (_ASK, _I.LEAVE): _LEAVE,
    (_ASK, _I.STOP): _STOP,
    # Up
    (_UP, _I.START): _BEGIN,
    (_UP, _I.FOUND): IGNORE,
    (_UP, _I.MISSING): IGNORE,
    (_UP, _I.GRANTED): IGNORE,
    (_UP, _I.AGAIN): IGNORE,
    (_UP, _I.REDIRECTED): IGNORE,
    (_UP, _I.ELSEWHERE): IGNORE,
    # A call has found nobody, and there is no way to ask.
    (_UP, _I.FAILED): _FAIL,
    (_UP, _I.DUE): _ONCE_MORE,
    (_UP, _I.MOVED): _BEGIN,
    (_UP, _I.LOST): _ONCE_MORE,
    (_UP, _I.LEAVE): _LEAVE,
    (_UP, _I.STOP): _STOP,
    # Down: whatever answers after all is as good as new
    (_DOWN, _I.START): _BEGIN,
    (_DOWN, _I.FOUND): IGNORE,
    (_DOWN, _I.MISSING): IGNORE,
    (_DOWN, _I.GRANTED): _HOLD,
    (_DOWN, _I.AGAIN): IGNORE,
    (_DOWN, _I.REDIRECTED): IGNORE,
    (_DOWN, _I.ELSEWHERE): IGNORE,
    (_DOWN, _I.FAILED): IGNORE,
    (_DOWN, _I.DUE): _ONCE_MORE,
    (_DOWN, _I.MOVED): _BEGIN,
    (_DOWN, _I.LOST): IGNORE,
    (_DOWN, _I.LEAVE): _LEAVE,
    (_DOWN, _I.STOP): _STOP,
    # Leaving: one try, for nobody waits long
    (_LEAVING, _I.START): _BEGIN,
    (_LEAVING, _I.FOUND): IGNORE,
    (_LEAVING, _I.MISSING): IGNORE,
    (_LEAVING, _I.GRANTED): _STOP,
    (_LEAVING, _I.AGAIN): LinkRow(_LEAVING, (_A.SEND_FAREWELL,)),
    (_LEAVING, _I.REDIRECTED): _STOP,
    (_LEAVING, _I.ELSEWHERE): _STOP,
    (_LEAVING, _I.FAILED): _STOP,
    (_LEAVING, _I.DUE): _STOP,
    (_LEAVING, _I.MOVED): IGNORE,
    (_LEAVING, _I.LOST): IGNORE,
    (_LEAVING, _I.LEAVE): IGNORE,
    (_LEAVING, _I.STOP): IGNORE,
}
