"""How many texts wait for a user: the message-summary event package (RFC 3842).

There is no voice mail: what is counted are the texts that are kept until a phone takes them.
"""

from collections.abc import Callable

from pbx.call.party import address_of
from pbx.sip.flow import Flow


class MessageWaiting:
    """The summaries of messages that light a phone's message lamp.

    Args:
        texts: how many texts wait for a user.
    """

    name = "message-summary"
    kind = "application/simple-message-summary"
    least_s = 1.0
    own_only = True

    def __init__(self, texts: Callable[[str], int]) -> None:
        self._texts = texts

    def document(self, number: str, flow: Flow, version: int, *, own: bool) -> bytes:
        """Return a user's summary (§5.2); arguments as for `DialogInfo.document`."""
        new = self._texts(number)
        return (
            f"Messages-Waiting: {'yes' if new else 'no'}\r\n"
            f"Message-Account: {address_of(number, flow)}\r\n"
            f"Text-Message: {new}/0\r\n"
        ).encode()
