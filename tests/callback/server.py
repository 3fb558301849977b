"""An application server at an exchange on a fake clock."""

from dataclasses import dataclass, field

from pbx.callback.message import Message, parse_message
from pbx.callback.service import CallBackService
from pbx.config.callback import CallBackSettings
from pbx.sip.flow import Address
from tests.call.office import EPOCH, Office

HERE = Address("127.0.0.1", 40000)


@dataclass
class Server:
    """What it says goes to the exchange's service; what it hears stands in `inbox`."""

    office: Office
    settings: CallBackSettings = field(default_factory=CallBackSettings)
    inbox: list[Message] = field(default_factory=list)
    went_to: list[Address] = field(default_factory=list)

    def __post_init__(self) -> None:
        office = self.office
        self.service = CallBackService(
            office.exchange.call_backs, lambda: self.settings, office.tokens, lambda: EPOCH
        )
        office.ticking.append(self.service)

    def says(self, data: str | bytes, source: Address = HERE) -> None:
        """Send a datagram."""
        octets = data.encode() if isinstance(data, str) else data
        self.service.receive(octets, source, self.office.now)
        self.office.pump()
        self.take()

    def take(self) -> None:
        """Read what has come."""
        for data, to in self.service.to_send():
            self.inbox.append(parse_message(data))
            self.went_to.append(to)

    def passes(self, seconds: float) -> None:
        """Let time pass, and read what has come."""
        self.office.advance(seconds)
        self.take()

    def hears(self, method: str) -> dict[str, str]:
        """Take the oldest message, which is of this method; return its parameters."""
        self.take()
        assert self.inbox, f"no {method}"
        message = self.inbox.pop(0)
        assert message.method == method, message
        return dict(message.params)

    def quiet(self) -> bool:
        """Whether nothing has come."""
        self.take()
        return not self.inbox
