"""A call that the exchange itself answers: one leg, whose sound ends in the media engine."""

from collections.abc import Callable, Collection, Iterator

from msgspec import structs

from pbx.call.cause import CallTag, Cause, by_server
from pbx.call.changes import MOST_TRIES
from pbx.call.events import (
    Confirmed,
    Dialled,
    Ended,
    LegEvent,
    MediaAnswered,
    MediaOffered,
    MediaRefused,
    MediaRenewed,
    Texted,
)
from pbx.call.facts import CallFacts
from pbx.call.heard import Heard
from pbx.call.journal import CallState
from pbx.call.keypad import Keypad
from pbx.call.leg import Leg
from pbx.call.outputs import CallChanged, CallEnded, MediaCommands, Output
from pbx.call.party import Party
from pbx.call.services.service import Service
from pbx.call.time_limits import MAX_DURATION, TimeLimits
from pbx.errors import PeerError
from pbx.media import endpoint, protocol
from pbx.media.conversion import note_sound
from pbx.media.session import NoPortsLeft
from pbx.routing.services import ServiceNumber
from pbx.sdp.payload import DynamicTypes, audio_codec
from pbx.sip.timers import TimerQueue

_AGAIN_S = 0.5
"""After how long a party is asked again whose session couldn't be changed just now."""


class Conversation:
    """A call with a service; `Call` is one between phones.

    Args:
        facts: what is known so far; kept up to date here.
        leg: the caller, its description already learned.
        dialed: the service.
        service: of this conversation alone.
        coded: encoding names of what the media engine can code now.
        timers: the exchange's timers.
        emit: takes what is to be done or published.
        country: whose tones may be on the line; empty for the general ones.
        max_duration_s: time limit; 0 for none.
    """

    def __init__(
        self,
        facts: CallFacts,
        leg: Leg,
        dialed: ServiceNumber,
        service: Service,
        coded: Callable[[], Collection[str]],
        timers: TimerQueue,
        emit: Callable[[Output], None],
        *,
        country: str,
        max_duration_s: float,
    ) -> None:
        self.facts = facts
        self.ended = False
        self._leg = leg
        self._dialed = dialed
        self._service = service
        self._sound = service.sound
        self._keypad = Keypad()
        self._coded = coded
        self._country = country
        self._timers = timers
        self._emit = emit
        self._limits = TimeLimits(
            self, facts, timers, no_answer_s=0.0, max_duration_s=max_duration_s
        )
        self._offering = False
        self._taking_over = False
        self._tries = 0
        self._types = DynamicTypes()
        self._agreed_voice: protocol.Voice | None = None
        self._heard = service.heard

    @property
    def party(self) -> Party:
        """Who it is with."""
        return self._leg.party

    @property
    def service(self) -> Service:
        """What the party has."""
        return self._service

    @property
    def dialed(self) -> ServiceNumber:
        """The service."""
        return self._dialed

    @property
    def recording(self) -> bool:
        """False: what a service records is no recording of the call."""
        return False

    @property
    def legs(self) -> Iterator[Leg]:
        """The caller's leg."""
        yield self._leg

    @property
    def sound_ports(self) -> tuple[int, int]:
        """The port of the caller's sound, and 0; see `CallEnded`."""
        return self._leg.media.sound_port, 0

    def state(self) -> CallState | None:
        """Return what the journal keeps so that the call survives the exchange."""
        caller = None if self._offering or self._taking_over else self._leg.state()
        if caller is None:
            return None
        return CallState(caller, service=self._dialed, heard=self._service.heard)

    def answer(self, sdp: bytes, now: float, *, offering: bool) -> None:
        """Answer the caller.

        Args:
            sdp: our answer, or our offer where the caller made none (RFC 3261 §13.2.1).
            offering: it is an offer.
        """
        try:
            self._leg.answer(sdp, self._leg.fork, now, None)
        except NoPortsLeft:
            self.end(by_server(CallTag.LIMIT), now)
            return
        self.facts.talk = now
        self._limits.talking(now)
        self._offering = offering
        if offering:
            self._emit(CallChanged(self.facts))
        else:
            self._agreed(sdp, now)

    def take_over(self, now: float) -> None:
        """Begin with a party that has been talking with another one: it is offered our session."""
        self._leg.name = "a"
        self.facts.talk = now
        self._limits.talking(now)
        # Its sound goes to nobody's port any more, which may soon be another call's
        self._tell_engine([*self._leg.media.ready(None, wait=False)])
        self._emit(CallChanged(self.facts))
        self._offer(now)

    def go_on(self, sdp: bytes, now: float) -> None:
        """Begin with a party that has answered an offer of ours, with `sdp`."""
        self._leg.name = "a"
        self.facts.talk = now
        self._limits.talking(now)
        self._agreed(sdp, now)

    def _offer(self, now: float) -> None:
        leg = self._leg
        before, host = leg.media.checkpoint(), leg.usage.flow.local.host
        self._taking_over = True
        try:
            own = endpoint.description(b"", self._coded(), host, before, self._types)
            if leg.reoffer(own, now, plain=True):
                return
        except (PeerError, NoPortsLeft):
            leg.restore()
            self.end(by_server(CallTag.LIMIT), now)
            return
        self._timers.set((self, "offer"), now + _AGAIN_S)

    def _not_taken_over(self, status: int, now: float) -> None:
        if status == 491:
            # RFC 3261 §14.1: both wanted a change at once
            self._timers.set((self, "offer"), now + self._leg.usage.glare_wait_s)
        else:
            self.end(by_server(CallTag.REQUEST_UNUSABLE), now)

    def resume(self, now: float) -> None:
        """Go on with a call that was answered before the exchange was restarted.

        Its sound begins anew with `engine_ready`.
        """
        note_sound(self._leg.media)
        self._leg.media.anchor()
        self._limits.talking(now, self.facts.talk)
        self._emit(CallChanged(self.facts, self.state()))

    def engine_ready(self, now: float) -> None:
        """Begin anew in an engine that has nothing of this call."""
        self._sound.forget()
        self._tell_engine([*self._leg.media.everything()])
        self._let_sound(now)

    def timer_fired(self, name: str, now: float) -> None:
        """End the call that has lasted as long as it may, or let the service go on."""
        if name == MAX_DURATION:
            self.end(by_server(CallTag.MAX_DURATION), now)
        elif name == "offer":
            self._offer(now)
        elif name == "narrow":
            self._narrow(now)
        else:
            self._service.timer_fired(now)
            self._served(now)

    def receive(self, leg: Leg, event: LegEvent, now: float) -> None:
        """Take what the caller's leg says."""
        if self.ended:
            return
        match event:
            case Confirmed():
                self._confirmed(event.sdp, now)
            case MediaOffered():
                self._media_offered(event.sdp, now)
            case MediaAnswered():
                self._taking_over = False
                leg.acknowledge(b"", now)
                self._agreed(event.sdp, now)
            case MediaRenewed():
                self._agreed(event.sdp, now)
            case MediaRefused():
                leg.restore()
                if self._taking_over:
                    self._not_taken_over(event.status, now)
                elif event.status == 491:
                    self._narrow_later(now)
            case Dialled():
                if self._keypad.by_info(event.digit, now):
                    self._service.dialled(event.digit, now)
                    self._served(now)
            case Texted():
                # Nobody would read it
                event.text.answer(415, "Unsupported Media Type", now, (("Accept", ""),))
            case Ended():
                self.end(event.cause, now)

    def reported(self, report: protocol.SoundReport, now: float) -> bool:
        """Take what the engine says; False where it concerns another call."""
        if not self._sound.takes(report):
            return False
        match report:
            case protocol.Digit():
                if self._keypad.by_sound(report.digit, now, inband=report.inband):
                    self._service.dialled(report.digit, now)
            case protocol.Line():
                self._service.line(report.tone, report.silent_ms / 1000, now)
            case protocol.Played():
                self._service.played(report.player, report.failure, now)
            case protocol.Recorded():
                self._service.recorded(report.seconds, report.failure, now)
        self._served(now)
        return True

    def end(self, cause: Cause, now: float) -> None:
        """Release leg, ports and service, and close the facts."""
        if self.ended:
            return
        self.ended = True
        self._limits.stop()
        self._timers.cancel((self, "service"))
        self._timers.cancel((self, "narrow"))
        self._timers.cancel((self, "offer"))
        ports = self.sound_ports
        self._leg.hang_up(cause, now)
        self._release(self._leg.media.close())
        self._sound.end()
        self._service.end(now)
        self.facts.cause = cause
        self.facts.release = now
        self._emit(CallEnded(self.facts, ports))

    # ---------------------------------------------------------------- offer and answer

    def _media_offered(self, sdp: bytes, now: float) -> None:
        """Answer a re-INVITE (RFC 3261 §14.2); one without an offer gets ours."""
        own_host = self._leg.usage.flow.local.host
        try:
            before = self._leg.media.checkpoint()
            own = endpoint.description(sdp, self._coded(), own_host, before, self._types)
            self._leg.accept_reoffer(own, now)
        except (PeerError, NoPortsLeft):
            # The change is refused, and the call goes on without it
            self._leg.refuse_reoffer(488, "Not Acceptable Here", now)
            return
        self._offering = not sdp
        if sdp:
            self._agreed(own, now)

    def _confirmed(self, sdp: bytes, now: float) -> None:
        """Take the answer to our offer, which the ACK carries."""
        if not self._offering:
            return
        self._offering = False
        if sdp:
            self._agreed(sdp, now)
        else:
            # RFC 3264 §4: an offer without an answer leaves no session
            self.end(by_server(CallTag.REQUEST_UNUSABLE), now)

    def _agreed(self, answer: bytes, now: float) -> None:
        """Offer and answer are complete: let the media engine follow."""
        self.facts.codec = audio_codec(answer) or self.facts.codec
        media = self._leg.media
        note_sound(media)
        streams = media.anchor()
        self._release(media.take_released())
        self._tell_engine([*streams])
        self._let_sound(now)
        if not self.ended:
            self._emit(CallChanged(self.facts, self.state()))
            self._narrow(now)

    def _narrow(self, now: float) -> None:
        """Ask for one codec, where the peer has left several; a refusal changes nothing."""
        leg = self._leg
        offer = endpoint.narrowed(leg.media.checkpoint(), leg.usage.flow.local.host)
        # Plain: with what could be converted beside it the peer would leave several again, for ever
        if offer and not leg.reoffer(offer, now, plain=True):
            self._narrow_later(now)

    def _narrow_later(self, now: float) -> None:
        """Ask again when the caller has had time for a change of its own (RFC 3261 §14.1)."""
        self._tries += 1
        if self._tries <= MOST_TRIES:
            self._timers.set((self, "narrow"), now + self._leg.usage.glare_wait_s)

    # ---------------------------------------------------------------- sound

    def _let_sound(self, now: float) -> None:
        """Set the voice as both parties have agreed; the service begins where it is new."""
        self._keypad = Keypad()  # Who has sent events may have agreed to none now
        agreement = self._leg.media.checkpoint()
        self._types.learn(agreement.told.media if agreement.told else ())
        self._types.learn(peer.line for peer in agreement.peer)
        self._agreed_voice = self._voice()
        if self._sound.set(self._voice_as_heard()):
            # Of a line that is new nothing is known yet
            self._service.line("", 0.0, now)
            self._service.begin(now)
            self._served(now)

    def _voice(self) -> protocol.Voice | None:
        media, mode = self._leg.media, self._service.mode
        agreed = endpoint.agreed(media.checkpoint())
        if agreed is None:
            return None
        return structs.replace(
            agreed.voice(media.port(agreed.index), agreed.rate),
            room=mode.room,
            # Who holds may play music meanwhile, which the others don't want to hear
            speaks=agreed.direction.receives,
            echo=mode.echo,
            inband=mode.keys and agreed.event_type < 0,
            line=mode.line,
            country=self._country if mode.line else "",
        )

    def _voice_as_heard(self) -> protocol.Voice | None:
        """What was agreed on, and how the others hear it."""
        voice, heard = self._agreed_voice, self._service.heard
        if voice is None:
            return None
        speaks = voice.speaks and not heard.muted
        return structs.replace(voice, speaks=speaks, gain_db=heard.gain_db)

    def hear(self, heard: Heard, now: float) -> None:
        """Let the others of the room hear the party so from now on."""
        self._service.hear(heard)
        self._served(now)

    def _served(self, now: float) -> None:
        """Do what the service asks for."""
        service = self._service
        if self.ended:
            return
        if service.heard != self._heard:
            self._heard = service.heard
            self._sound.set(self._voice_as_heard())
            self._emit(CallChanged(self.facts, self.state()))
        if service.over is not None:
            self.end(service.over, now)
        elif service.due is not None:
            self._timers.set((self, "service"), service.due)
        else:
            self._timers.cancel((self, "service"))

    def _release(self, ports: list[int]) -> None:
        if ports:
            self._tell_engine([protocol.Release(ports)])

    def _tell_engine(self, commands: list[protocol.Command]) -> None:
        if commands:
            self._emit(MediaCommands(commands))
