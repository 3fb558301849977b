"""The early dialogs of an INVITE that we sent: one for each To tag of a 1xx (RFC 3261 §12.1.2)."""

from contextlib import suppress

from pbx.errors import PeerError
from pbx.sip.dialog import Dialog, DialogId, dialog_id_of
from pbx.sip.message import Request, Response

MOST = 32
"""A proxy that forks further than that is no proxy, but somebody who fills our memory."""


class EarlyDialogs:
    """Knows the callees that have answered an INVITE provisionally."""

    def __init__(self) -> None:
        self._dialogs: dict[DialogId, Dialog] = {}
        # By tag, the latest one last
        self._described: dict[str, None] = {}

    def learn(self, invite: Request, response: Response) -> Dialog | None:
        """Return the early dialog that a 1xx belongs to; None where it makes none.

        Args:
            invite: as sent.
            response: a 1xx above 100.
        """
        tag = response.to.tag
        if not tag:
            return None
        known = self.of_peer(tag)
        if known is None and len(self._dialogs) < MOST:
            # A Contact that can't be read makes no dialog; the 2xx is to bring a better one
            with suppress(PeerError):
                known = Dialog.uac(invite, response)
                self._dialogs[known.id] = known
        return known

    def of(self, request: Request) -> Dialog | None:
        """The early dialog of a request from a callee (§12.2.2)."""
        return self._dialogs.get(dialog_id_of(request))

    def of_peer(self, tag: str) -> Dialog | None:
        """The early dialog with the callee whose tag this is."""
        return next((one for one in self._dialogs.values() if one.remote_tag == tag), None)

    def first_description(self, tag: str) -> bool:
        """Note that a callee described its session; False where it has done so before.

        §13.2.1: the first one counts as its answer, further ones are ignored.
        """
        if tag in self._described or len(self._described) >= MOST:
            return False
        self._described[tag] = None
        return True

    @property
    def described(self) -> str:
        """The tag of the callee who has described its session last; empty for none."""
        return next(reversed(self._described), "")
