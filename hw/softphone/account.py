"""Who the phone is, and at which server."""

from dataclasses import dataclass

from pbx.sip.uri import SipUri


@dataclass(frozen=True, slots=True)
class Account:
    """A user of a server.

    Args:
        user: the number, which is the user name too.
        password: for digest authentication; empty for a phone without a server.
        host: the server's name or address as a person writes it, IPv6 without brackets.
        port: the server's UDP port; None: 5060.
    """

    user: str
    password: str
    host: str
    port: int | None = None

    @property
    def domain(self) -> str:
        """The server's own URI: what a REGISTER goes to."""
        return str(SipUri("sip", None, None, self.host, self.port))

    def address_of(self, number: str) -> str:
        """Return the URI of a number at this server."""
        return str(SipUri("sip", number, None, self.host, self.port))

    @property
    def address(self) -> str:
        """Our own address-of-record."""
        return self.address_of(self.user)
