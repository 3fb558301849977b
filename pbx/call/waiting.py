"""What a party hears that waits: it has been transferred, and nobody has answered yet."""

from collections.abc import Callable, Collection, Iterator

from msgspec import structs

from pbx.media import endpoint, protocol
from pbx.media.session import LegMedia

TONE = "ringback"
LEVEL_DBM0 = -15.0


class Waiting:
    """The ringing tone for one party whose stream goes nowhere meanwhile.

    Args:
        tell: takes commands for the engine.
        names: gives players names that nothing in the engine has.
        country: whose ringing tone it is, and whose busy tone ends it; empty for the general ones.
        coded: encoding names of what it can code now.
    """

    def __init__(
        self,
        tell: Callable[[list[protocol.Command]], None],
        names: Iterator[int],
        country: str,
        coded: Callable[[], Collection[str]],
    ) -> None:
        self._tell = tell
        self._names = names
        self._country = country
        self._coded = coded
        self._port = self._player = 0

    def begin(self, media: LegMedia) -> None:
        """Let the party hear that it rings, if the engine can code what it speaks."""
        own = endpoint.audible(media.checkpoint(), self._coded())
        if self._port or own is None or not media.port(own.index):
            return
        self._port, self._player = media.port(own.index), next(self._names)
        voice = structs.replace(own.voice(self._port, own.rate), line=True, country=self._country)
        play = protocol.Play(
            self._player,
            self._port,
            tone=TONE,
            country=self._country,
            level_db=LEVEL_DBM0,
            times=0,
        )
        self._tell([voice, play])

    def on(self, port: int) -> bool:
        """Whether it is the party with this port that waits."""
        return port == self._port

    def end(self) -> None:
        """Let it hear something else now."""
        if self._port:
            self._tell([protocol.StopPlaying(self._player), protocol.StopVoice(self._port)])
            self._port = self._player = 0
