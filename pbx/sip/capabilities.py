"""What a user agent can do, as it tells its peers: one truth for each header that says so."""

from collections.abc import Iterable
from dataclasses import dataclass, field

SDP_TYPE = "application/sdp"
"""The session description's kind of body."""

_NEVER_WITHIN = frozenset({"REGISTER", "PUBLISH"})
"""Methods that have nothing to do with a dialog, whatever their To header says (RFC 3261 §10,
RFC 3903 §4)."""

_DIALOG_OF_ITS_OWN = "SUBSCRIBE"
"""It begins a dialog and refreshes that; in a call's dialog it has no business (RFC 6665 §4.5.2)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What is served, in the words of the headers.

    Args:
        methods: methods that are served outside dialogs.
        only_within: methods that are served within dialogs alone.
        options: option tags that a Require header may name (RFC 3261 §20.32, §20.37).
        proxy_options: those that Proxy-Require may name besides (§20.29).
        options_within: those that it may name within a dialog.
        bodies: kinds of body that are read.
        events: event packages that may be subscribed to (RFC 6665 §8.2.2).
        allow: every method (RFC 3261 §20.5).
        within: the methods that the peer of a call's dialog may use in it.
    """

    methods: tuple[str, ...]
    only_within: tuple[str, ...] = ("INFO",)
    options: tuple[str, ...] = ()
    proxy_options: tuple[str, ...] = ()
    options_within: tuple[str, ...] = ()
    bodies: tuple[str, ...] = (SDP_TYPE, "multipart/mixed", "multipart/alternative")
    events: tuple[str, ...] = ()
    allow: tuple[str, ...] = field(init=False)
    within: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Work out what is asked for with every call."""
        beside = {*_NEVER_WITHIN, _DIALOG_OF_ITS_OWN}
        every = tuple(dict.fromkeys((*self.methods, *self.only_within)))
        object.__setattr__(self, "allow", every)
        object.__setattr__(self, "within", tuple(one for one in every if one not in beside))

    def all_within(self, methods: Iterable[str]) -> bool:
        """Whether the peer of a call's dialog may use each of these methods in it."""
        return all(method in self.within for method in methods)


EXCHANGE = Capabilities(
    methods=(
        "INVITE",
        "ACK",
        "CANCEL",
        "BYE",
        "OPTIONS",
        "REGISTER",
        "MESSAGE",
        "SUBSCRIBE",
        "PUBLISH",
        "REFER",
    ),
    only_within=("INFO", "UPDATE", "PRACK"),
    options=("path", "outbound", "norefersub", "replaces", "tdialog", "timer", "100rel"),
    # RFC 3323 §4.2: so callers ask that their wish for privacy be done, or the call not be made
    proxy_options=("privacy",),
    # RFC 3312 §11: what a line's INVITE has required, its UPDATE requires, too
    options_within=("norefersub", "timer", "100rel", "precondition"),
    events=("dialog", "presence", "message-summary"),
)
"""What the exchange can do."""


def dialog_method(method: str) -> bool:
    """Whether a request of this method can belong to a dialog."""
    return method not in _NEVER_WITHIN
