"""Echo: the party hears what it says, and so how it is heard."""

from pbx.call.services.service import Mode, Service


class Echo(Service):
    """Says what it hears."""

    @property
    def mode(self) -> Mode:
        """Heard by itself."""
        return Mode(echo=True)
