"""The ACKs to the 2xx that our INVITEs get: the UAC core's own duty (RFC 3261 §13.2.2.4)."""

from typing import TYPE_CHECKING

from pbx.sip.client_transaction import ClientState, ClientTransaction
from pbx.sip.message import Request

if TYPE_CHECKING:
    from pbx.sip.invite_usage import Usage


class Acks:
    """Those of one INVITE usage.

    Args:
        usage: whose INVITEs they acknowledge.
    """

    def __init__(self, usage: "Usage") -> None:
        self._usage = usage
        # An INVITE whose 2xx waits for its ACK, and the offer in that 2xx
        self._due: tuple[ClientTransaction, bytes] | None = None
        # Those of INVITEs whose 2xx may be repeated: each wants the ACK with its own CSeq
        self._sent: dict[ClientTransaction, Request] = {}

    @property
    def due(self) -> bool:
        """Whether a 2xx waits for its ACK."""
        return self._due is not None

    def expect(self, invite: ClientTransaction, offer: bytes) -> None:
        """Take note that a 2xx to `invite` has come; `offer` is what it wants answered, if anything."""
        self._due = invite, offer

    def build(self, body: bytes) -> Request | None:
        """Return the ACK that is due, from now on kept for repetitions; None for none.

        Args:
            body: the answer to the 2xx's offer; where one is wanted and this is empty, the offer
                is declined.
        """
        if self._due is None:
            return None
        (transaction, offer), self._due = self._due, None
        # "If the offer in the 2xx response is not acceptable, the UAC core MUST generate a valid
        # answer in the ACK"
        ack = self._usage.build("ACK", self._usage.decline(offer) if offer and not body else body)
        # "The sequence number of the CSeq header field MUST be the same as the INVITE being
        # acknowledged"
        ack.set("CSeq", f"{transaction.request.cseq.number} ACK")
        # "The ACK MUST contain the same credentials as the INVITE."
        for name in ("Authorization", "Proxy-Authorization"):
            for value in transaction.request.all(name):
                ack.add(name, value)
        self._sent = {
            invite: old
            for invite, old in self._sent.items()
            if invite.state is not ClientState.TERMINATED
        }
        self._sent[transaction] = ack
        return ack

    def again(self, invite: ClientTransaction) -> Request | None:
        """Return the ACK to `invite`'s 2xx, which the peer has repeated; None before the first one."""
        return self._sent.get(invite)
