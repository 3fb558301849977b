"""A text on its way from one user to another (RFC 3428): what of it crosses, and how it is kept."""

from email.utils import formatdate

import msgspec

from pbx.call.leg import Target
from pbx.call.party import Party, address_of
from pbx.errors import PeerError
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.message import Request
from pbx.sip.octet_text import octets_of, text_of
from pbx.sip.secure import is_sips
from pbx.sip.texts import DESCRIBING

_OF_THE_MOMENT = "application/im-iscomposing+xml"
"""That somebody types (RFC 3994): worth nothing a moment later."""


class InstantMessage(msgspec.Struct, frozen=True):
    """One text.

    Args:
        id: our own name of it, unique for ever.
        sender, recipient: the numbers of local users.
        display_name: what the recipient sees as the sender's name; may be empty.
        hidden: the recipient isn't to know who it is from.
        headers: names and values, as octets, of what describes the text.
        body: the text, whatever its type.
        sent_wall_s: when it came, seconds since 1970.
        expires_wall_s: from when on nobody wants it any more.
        secure: it came by sips, and goes on so (RFC 5630).
    """

    id: str
    sender: str
    recipient: str
    display_name: str
    hidden: bool
    headers: tuple[tuple[str, bytes], ...]
    body: bytes
    sent_wall_s: float
    expires_wall_s: float
    secure: bool = False

    @classmethod
    def of(
        cls,
        request: Request,
        name: str,
        sender: Party,
        recipient: str,
        wall_s: float,
        longest_s: float,
    ) -> "InstantMessage":
        """Take the text out of a MESSAGE request.

        Args:
            name: the text's id.
            sender: who it is from.
            recipient: the number of a local user.
            wall_s: now, seconds since 1970.
            longest_s: how long it may wait for its recipient, seconds.

        Raises:
            PeerError: 400 for a body of which nobody knows what it is, or a bad Expires.
        """
        if request.body and not request.get("Content-Type"):
            # RFC 3261 §20.15: a body has a type
            raise PeerError(400, "Missing Content-Type")
        expires = request.get("Expires")
        wait_s = longest_s if expires is None else min(parse_delta_seconds(expires), longest_s)
        found = [(each, value) for each in DESCRIBING if (value := request.get(each)) is not None]
        return cls(
            name,
            sender.number,
            recipient,
            octets_of(sender.name),
            sender.hidden,
            tuple((each, value.encode("utf-8", "surrogateescape")) for each, value in found),
            request.body,
            wall_s,
            wall_s + wait_s,
            is_sips(request.request_uri),
        )

    @property
    def lasting(self) -> bool:
        """Whether it is worth anything to who comes later."""
        kind = next((value for name, value in self.headers if name == "Content-Type"), b"")
        return kind.partition(b";")[0].strip().lower() != _OF_THE_MOMENT.encode()

    def request(self, target: Target, call_id: str, tag: str) -> Request:
        """Return the MESSAGE for one phone of the recipient (§4): no Contact, no dialog.

        Args:
            target: the phone.
            call_id, tag: fresh random names.
        """
        sender = Party(self.sender, text_of(self.display_name), self.hidden)
        request = Request(
            "MESSAGE",
            target.uri,
            [
                *(("Route", route) for route in target.route),
                ("From", str(sender.address(target.flow).with_params(tag=tag))),
                *sender.asserted(target.flow),
                ("To", f"<{address_of(self.recipient, target.flow)}>"),
                ("Call-ID", call_id),
                ("CSeq", "1 MESSAGE"),
            ],
            self.body,
        )
        for name, octets in self.headers:
            request.add(name, octets.decode("utf-8", "surrogateescape"))
        if request.get("Date") is None:
            # The recipient may see it days later, and should see of when it is.
            request.add("Date", formatdate(self.sent_wall_s, usegmt=True))
        return request
