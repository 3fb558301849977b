"""Dialogs that a request names: which it takes the place of (RFC 3891), or is about (RFC 4538)."""

from dataclasses import dataclass

from pbx.errors import PeerError
from pbx.sip.headers import parse_params
from pbx.sip.message import Message


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog as its header field names it, seen by who gets the request.

    Args:
        call_id: its Call-ID.
        to_tag: the tag of who gets the request.
        from_tag: the other one's.
        early_only: it is to be replaced only while it isn't answered.
    """

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @property
    def mirrored(self) -> "Replaces":
        """The dialog as its other party has it."""
        return Replaces(self.call_id, self.from_tag, self.to_tag, self.early_only)


def parse_replaces(text: str) -> Replaces:
    """Read a Replaces value (RFC 3891 §6.1).

    Raises:
        PeerError: 400 where it isn't one, or lacks a tag or has two of a kind.
    """
    call_id, semicolon, rest = text.partition(";")
    params = {name.lower(): value for name, value in parse_params(semicolon + rest)}
    call_id, to_tag, from_tag = call_id.strip(), params.get("to-tag"), params.get("from-tag")
    if not call_id or " " in call_id or not call_id.isprintable() or not to_tag or not from_tag:
        raise PeerError(400, "Bad Replaces")
    return Replaces(call_id, to_tag, from_tag, "early-only" in params)


def target_dialog_of(message: Message) -> Replaces | None:
    """Return the dialog that a request says it is about (RFC 4538), seen by who gets it.

    None where it says nothing, or not enough: "if they don't contain both a "remote-tag" and
    "local-tag" parameter, the header field MUST be ignored" (§4).

    Raises:
        PeerError: 400 where it can't be read.
    """
    call_id, semicolon, rest = (message.get("Target-Dialog") or "").partition(";")
    params = {name.lower(): value for name, value in parse_params(semicolon + rest)}
    local, remote = params.get("local-tag"), params.get("remote-tag")
    return Replaces(call_id.strip(), local, remote) if local and remote else None


def replaces_of(message: Message) -> Replaces | None:
    """Return the dialog that an INVITE is to replace; None where it replaces none.

    Raises:
        PeerError: 400 as for `parse_replaces`, or where there are several (RFC 3891 §3).
    """
    values = message.all("Replaces")
    if not values:
        return None
    if len(values) > 1:
        raise PeerError(400, "Repeated Replaces")
    return parse_replaces(values[0])
