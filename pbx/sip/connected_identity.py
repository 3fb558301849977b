"""A dialog's parties may become others: the connected identity (RFC 4916)."""

from typing import TYPE_CHECKING

from pbx.sip.events import RequestReceived
from pbx.sip.fields import Message
from pbx.sip.headers import NameAddr
from pbx.sip.message import Request, Response
from pbx.sip.usage_part import UsagePart

if TYPE_CHECKING:
    from pbx.sip.dialog_usage import DialogUsage

_TELLING = frozenset({"INVITE", "UPDATE"})


class ConnectedIdentity(UsagePart):
    """Tells the peer who it talks with now, if it has said that it can take that.

    Args:
        usage: of the dialog.
    """

    option = "from-change"

    def __init__(self, usage: "DialogUsage") -> None:
        self._usage = usage
        self._supported = False

    def inspect(self, event: RequestReceived) -> Response | None:
        """Take over who the peer is now: our requests name it in To."""
        request, dialog = event.request, self._usage.dialog
        if dialog is not None and request.method in _TELLING:
            dialog.remote_uri = str(request.from_.without_param("tag"))
        return None

    def dress_answer(self, request: Request, response: Response, now: float) -> None:
        """Take note of what the peer's request says."""
        self._learn(request)

    def accepted(self, request: Request, response: Response, now: float) -> None:
        """Take note of what the peer's answer says."""
        self._learn(response)

    def rename(self, address: NameAddr) -> None:
        """Let our next requests come from `address`, in the same dialog."""
        dialog = self._usage.dialog
        if self._supported and dialog is not None:
            dialog.local_uri = str(address)

    def _learn(self, message: Message) -> None:
        options = [one.lower() for one in message.readable("Supported")]
        if options:
            self._supported = self.option in options
