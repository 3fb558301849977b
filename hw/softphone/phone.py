"""The phone: user agent, sockets, clock and sound together."""

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from hw.softphone.account import Account
from hw.softphone.call import Call, CallState
from hw.softphone.g711 import Samples
from hw.softphone.happenings import Alerting, Answered, Ended, Happening, MediaChanged
from hw.softphone.locale import say
from hw.softphone.network import RtpPort, UdpPort, locate, own_address
from hw.softphone.session import Negotiation
from hw.softphone.sound import Sound
from hw.softphone.stream import Start, Stream
from hw.softphone.user_agent import UserAgent
from pbx import __version__
from pbx.errors import PeerError, StartError
from pbx.sip.flow import DEFAULT_PORT, Address, Flow
from pbx.sip.uri import SipUri, parse_uri

FAREWELL_S = 2.0
"""How long the end waits for answers to BYE, CANCEL and REGISTER."""

_NUMBER = re.compile(r"[0-9+*#\s()./-]+")
_SEPARATORS = re.compile(r"[\s()./-]")


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call: a Request-URI, a name for people, and where to send it directly.

    Args:
        uri: the Request-URI.
        name: as it is shown.
        direct: host and port, where it isn't for the server.
    """

    uri: str
    name: str
    direct: tuple[str, int] | None = None


def target_of(text: str, account: Account | None) -> Target:
    """Return whom a person means by a number, ``user@host`` or a SIP URI.

    Raises:
        StartError: nobody can be meant by it, or it needs a server.
    """
    text = text.strip()
    if "@" in text or text.lower().startswith("sip:"):
        return _address_target(text, account)
    number = _SEPARATORS.sub("", text) if _NUMBER.fullmatch(text) else text
    if not number or not number.isprintable() or any(char.isspace() for char in number):
        raise StartError(say("bad-number", number=text), 2)
    if account is None:
        raise StartError(say("number-needs-server", number=text), 78)
    return Target(account.address_of(number), number)


def _address_target(text: str, account: Account | None) -> Target:
    try:
        uri = parse_uri(text if text.lower().startswith("sip:") else f"sip:{text}")
    except PeerError:
        uri = None
    if not isinstance(uri, SipUri) or uri.headers:
        raise StartError(say("bad-number", number=text), 2)
    port = uri.port or DEFAULT_PORT
    name = str(uri).partition(":")[2]
    if account is not None and (uri.host.lower(), port) == (
        account.host.lower(),
        account.port or DEFAULT_PORT,
    ):
        return Target(str(uri), uri.user or name)
    return Target(str(uri), name, (uri.host, port))


class Phone:
    """A phone that is on. Everything but `_exchange` runs on the event loop.

    Made by `open`.

    Args:
        account: who it is.
        flow: to the server; of a phone without one, to nowhere but itself.
        sip: makes its SIP socket.
        sound: its microphone and loudspeaker.
        tell: takes what happens.
        server: it has one, and hears of nobody else.
        moves: it may take another address of this machine's, where its own has gone.
    """

    def __init__(
        self,
        account: Account,
        flow: Flow,
        sip: UdpPort,
        sound: Sound,
        tell: Callable[[Happening], None],
        *,
        server: bool,
        moves: bool,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._account = account
        self._flow = flow
        self._sip = sip
        self._sound = sound
        self._tell = tell
        self._heard_hosts = {flow.remote.host} if server else None
        self._server = server
        self._moves = moves
        self._registers = False
        self._moving: asyncio.Task[None] | None = None
        self._agent = self._new_agent()
        self._rtp: RtpPort | None = None
        self._stream: Stream | None = None
        self._sounding = False
        self._alarm: asyncio.TimerHandle | None = None
        self._still = asyncio.Event()

    @classmethod
    async def open(
        cls,
        account: Account | None,
        sound: Sound,
        tell: Callable[[Happening], None],
        *,
        listen: Address | None = None,
        towards: tuple[str, int] | None = None,
        user: str = "",
    ) -> "Phone":
        """Return a phone of a server's user, or one without a server.

        Args:
            account: the server's user; None: without a server.
            sound: see `Phone`.
            tell: see `Phone`.
            listen: its own address; port 0: any; None: the one that leads where it calls.
            towards: host and port that a phone without a server will call.
            user: the name of a phone without a server.

        Raises:
            StartError: no address, no way or no socket.
        """
        moves = account is not None and listen is None
        remote = None
        if account is not None:
            remote = await locate(account.host, account.port or DEFAULT_PORT)
        elif towards is not None:
            remote = await locate(*towards)
        if listen is None:
            listen = Address(own_address(remote) if remote else "127.0.0.1", 0)
        taken: list[Phone] = []
        sip = UdpPort(
            listen.host,
            listen.port,
            lambda data, source: taken[0]._received(data, source),
            lambda where, why: taken[0]._refused(where, why),
        )
        flow = Flow("udp", sip.local, remote or sip.local)
        own = account or Account(user, "", sip.local.host, sip.local.port)
        server = account is not None
        taken.append(cls(own, flow, sip, sound, tell, server=server, moves=moves))
        return taken[0]

    def _new_agent(self) -> UserAgent:
        name = f"miniSIPServer-softphone/{__version__}"
        return UserAgent(self._account, self._flow, secrets.token_hex, name=name)

    # ---------------------------------------------------------------- what a person does

    @property
    def address(self) -> str:
        """Its address-of-record."""
        return self._account.address

    @property
    def call(self) -> Call | None:
        """The call that isn't over."""
        return self._agent.call

    @property
    def stream(self) -> Stream | None:
        """The sound of that call."""
        return self._stream

    def register(self) -> None:
        """Register at the server, and stay registered."""
        self._registers = True
        self._agent.registration.register(self._loop.time())
        self._pump()

    async def dial(self, text: str) -> Call:
        """Call a number, ``user@host`` or SIP URI.

        Raises:
            StartError: that is impossible.
        """
        target = target_of(text, self._account if self._server else None)
        flow = self._flow
        if target.direct is not None:
            remote = await locate(*target.direct)
            flow = Flow("udp", self._flow.local, remote)
            if self._heard_hosts is not None:
                self._heard_hosts.add(remote.host)
        if self.call is not None:
            raise StartError(say("call-going-on"), 1)
        call = self._agent.dial(
            target.uri, target.name, self._negotiation(), flow, self._loop.time()
        )
        self._pump()
        return call

    def answer(self, call: Call) -> None:
        """Answer a call that rings.

        Raises:
            StartError: there is no port for its sound.
        """
        if not call.ended:
            self._agent.answer(call, self._negotiation(), self._loop.time())
            self._pump()

    def hang_up(self) -> None:
        """End the call, or refuse it."""
        if self.call is not None:
            self._agent.hang_up(self.call, self._loop.time())
            self._pump()

    async def close(self) -> None:
        """End the call, leave the server, and give everything back."""
        self._moves = False
        if self._moving is not None:
            self._moving.cancel()
        self.hang_up()
        self._agent.registration.leave(self._loop.time())
        self._pump()
        if not self._agent.quiet:
            try:
                async with asyncio.timeout(FAREWELL_S):
                    await self._still.wait()
            except TimeoutError:
                # A server that has gone: nobody to say farewell to
                pass
        if self._alarm is not None:
            self._alarm.cancel()
        self._sip.close()
        self._sound.close()

    # ---------------------------------------------------------------- SIP

    def _received(self, data: bytes, source: Address) -> None:
        # Whoever scans the network for phones must not make this one ring.
        if self._heard_hosts is not None and source.host not in self._heard_hosts:
            return
        self._agent.receive(data, Flow("udp", self._sip.local, source), self._loop.time())
        self._pump()

    def _refused(self, where: Address, why: str) -> None:
        self._agent.flow_failed(Flow("udp", self._sip.local, where), why, self._loop.time())
        self._pump()

    def _pump(self) -> None:
        """Carry out what the user agent wants, and set the clock by it."""
        while datagrams := self._agent.to_send():
            for data, flow in datagrams:
                why = self._sip.send(data, flow.remote)
                if why:
                    self._agent.flow_failed(flow, why, self._loop.time())
                    self._look_for_address()
        while (happening := self._agent.next_happening()) is not None:
            self._take(happening)
        if self._alarm is not None:
            self._alarm.cancel()
        due = self._agent.next_timer()
        self._alarm = None if due is None else self._loop.call_at(due, self._ring)
        if self._agent.quiet:
            self._still.set()
        else:
            self._still.clear()

    def _look_for_address(self) -> None:
        """Nothing can be sent: this machine may be in another network now, or have a new lease."""
        busy = self._moving is not None and not self._moving.done()
        if self._moves and self._registers and not busy:
            self._moving = self._loop.create_task(self._move())

    async def _move(self) -> None:
        """Be the same phone at this machine's new address, where it has one and nobody talks."""
        try:
            remote = await locate(self._account.host, self._account.port or DEFAULT_PORT)
            host = own_address(remote)
            if host == self._sip.local.host or self.call is not None:
                return
            sip = UdpPort(host, 0, self._received, self._refused)
        except (StartError, OSError):
            # Registering is tried again by and by; then this is, too.
            return
        self._sip.close()
        self._sip = sip
        self._flow = Flow("udp", sip.local, remote)
        self._heard_hosts = {remote.host}
        self._agent = self._new_agent()
        self.register()

    def _ring(self) -> None:
        # The loop may call a little early: not before the time that was asked for.
        due = self._agent.next_timer() or 0.0
        self._agent.handle_timer(max(due, self._loop.time()))
        self._pump()

    def _take(self, happening: Happening) -> None:
        match happening:
            case Alerting() | Answered() | MediaChanged():
                self._follow(happening.call)
            case Ended():
                self._silence()
        self._tell(happening)

    # ---------------------------------------------------------------- sound

    def _negotiation(self) -> Negotiation:
        """Take a port for the sound of a new call."""
        self._silence()
        start = Start(secrets.randbits(32), secrets.randbits(16), secrets.randbits(32))
        self._stream = Stream(start)
        self._rtp = RtpPort(self._sip.local.host)
        return Negotiation(self._rtp.local, secrets.randbits(31))

    def _follow(self, call: Call) -> None:
        if self._stream is None or call.agreed is None:
            return
        self._stream.agree(call.agreed)
        if not self._sounding:
            self._sounding = True
            self._sound.start(self._exchange)
        if call.state is CallState.TALKING:
            self._sound.answered()

    def _exchange(self, spoken: Samples) -> Samples:
        """Pass 20 ms on each way; on the sound's thread."""
        stream, rtp = self._stream, self._rtp
        if stream is None or rtp is None:
            return spoken * 0
        for packet in rtp.receive():
            stream.receive(*packet)
        heard, datagram = stream.exchange(spoken)
        if datagram is not None:
            rtp.send(*datagram)
        return heard

    def _silence(self) -> None:
        """End the sound of a call, and give its port back."""
        if self._sounding:
            self._sounding = False
            self._sound.stop()
        if self._rtp is not None:
            self._rtp.close()
        self._rtp = self._stream = None
