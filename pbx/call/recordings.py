"""The recordings of calls between two phones: by themselves, by a code, by the administrator."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from pbx.call.any_call import AnyCall
from pbx.call.call import Call
from pbx.call.facts import CallFacts
from pbx.call.journal import CallState
from pbx.call.leg import Leg
from pbx.call.party import Party
from pbx.call.record_code import CodeWatch
from pbx.call.record_policy import RecordPolicy, RecordsNothing, Side, is_recorded
from pbx.call.recording import BY_CODE, BY_OPTION, Recording
from pbx.call.recording_signs import RecordingSigns
from pbx.config.recording import RecordingSettings, recording_name


class Recordings:
    """Begins and ends recordings.

    Args:
        calls: the exchange's, by id.
        names: gives each a name that nothing in the engine has.
        folder: where the files go.
        settings: of recordings.
        announcement: as for `RecordingSigns`.
    """

    def __init__(
        self,
        calls: Mapping[str, AnyCall],
        names: Iterator[int],
        folder: str,
        settings: RecordingSettings,
        announcement: str = "",
    ) -> None:
        self._calls = calls
        self._names = names
        self._folder = folder
        self._settings = settings
        self._announcement = announcement
        self.policy: RecordPolicy = RecordsNothing()
        """Which calls are recorded by themselves; set by whom users and lines are known to."""
        self.refusal: Callable[[], str] = lambda: ""
        """Why the disk takes no recording now; empty where it does."""

    @property
    def running(self) -> frozenset[str]:
        """The files that are being written, by their names within the folder."""
        calls = (one for one in self._calls.values() if isinstance(one, Call))
        running = (one.recorder.running for one in calls)
        return frozenset(one.file for one in running if one is not None)

    def stop_all(self, why: str) -> None:
        """End every recording; the calls go on.

        Args:
            why: what their records say of it.
        """
        for call in list(self._calls.values()):
            if isinstance(call, Call) and call.recording:
                call.recorder.stop(why)

    # ---------------------------------------------------------------- by themselves, by a code

    def attend(self, call: Call) -> None:
        """Have a call that has just begun recorded where that is wanted."""
        call.recorder.due = partial(self._due, call)
        watch = CodeWatch(self._settings.code)
        signs = RecordingSigns(call.passage, self._names, self._announcement)
        call.recorder.signs = signs
        call.pressed = partial(self._pressed, call, watch, signs)

    def expected(self, call: Call, party: Party) -> bool:
        """Return whether a call will be recorded if `party`, who is being called, answers."""
        caller = call.caller
        return call.expects_recording or is_recorded(
            self.policy, Side(caller.party, caller.called), Side(party, called=True)
        )

    def prepare(self, old: Call, new: Call) -> None:
        """Have the parties of a call that goes on as another one asked for what recordings want.

        Args:
            old: the call.
            new: what it becomes, before either party is told.
        """
        if old.expects_recording or self._is_wanted(new):
            new.pace()

    def _due(self, call: Call) -> Recording | None:
        if not self._is_wanted(call) or self._is_refused(call):
            return None
        return self._fresh(call, BY_OPTION)

    def _is_wanted(self, call: Call) -> bool:
        callee = call.callee
        if callee is None:
            return False
        one, other = (Side(leg.party, leg.called) for leg in (call.caller, callee))
        return is_recorded(self.policy, one, other)

    def _is_refused(self, call: Call) -> bool:
        """Return whether the disk takes no recording; the call's record says why."""
        why = self.refusal()
        if why:
            call.recorder.refused(why)
        return bool(why)

    def _fresh(self, call: Call, by: str) -> Recording:
        """Return a recording to a file that has no like."""
        facts, place = call.facts, 1
        naming: Callable[[int], str] = partial(
            recording_name,
            self.policy.moment(),
            facts.caller_number,
            facts.called_number,
            facts.id,
        )
        while naming(place) in facts.recordings:
            place += 1
        stereo = self._settings.stereo
        return Recording(next(self._names), self._folder, naming(place), stereo, by)

    def _begin(self, call: Call, recording: Recording) -> bool:
        """Record a call from its middle on; False where that is impossible.

        Its parties are asked for what recordings want when they are told of a session next: packets
        of any length are recorded, so neither is disturbed for that alone.
        """
        begun = call.recorder.begin(recording)
        if begun:
            call.pace()
        return begun

    def _pressed(
        self,
        call: Call,
        watch: CodeWatch,
        signs: RecordingSigns,
        leg: Leg,
        digit: str,
        now: float,
    ) -> None:
        """Begin or end the recording of a call at the code's last key."""
        # The keys of a party outside are none of ours
        if leg.party.line or call.facts.talk is None:
            return
        if not watch.completes(leg, digit, now) or not self.policy.takes_code(leg.number):
            return
        running = call.recorder.running
        if running is None:
            if not self._is_refused(call) and self._begin(call, self._fresh(call, BY_CODE)):
                signs.answer(leg.media, recorded=True)
            else:
                signs.refuse(leg.media)
        elif running.by == BY_CODE:
            call.recorder.stop()
            signs.answer(leg.media, recorded=False)
        else:
            # What the owner wants goes on
            signs.answer(leg.media, recorded=True)

    # ---------------------------------------------------------------- by the administrator

    def record(self, call_id: str, file: str, *, stereo: bool) -> str:
        """Record a call between two phones from now on.

        Args:
            call_id: the call.
            file: the new file, ``YYYYMMDD/name.wav``.
            stereo: a track for each party.

        Returns:
            Why that is impossible, as a sentence's key; empty where it has begun.
        """
        call = self._calls.get(call_id)
        if call is None:
            return "unknown-call"
        if not isinstance(call, Call):
            return "not-recordable"
        if call.recording:
            return "recorded-already"
        if call.recorder.full:
            return "recorded-often"
        if self.refusal():
            return "no-room-to-record"
        recording = Recording(next(self._names), self._folder, file, stereo)
        return "" if self._begin(call, recording) else "not-recordable"

    def stop(self, call_id: str) -> str:
        """End the recording of a call; returns why that is impossible, as `record` does."""
        call = self._calls.get(call_id)
        if call is None:
            return "unknown-call"
        if not isinstance(call, Call) or not call.recording:
            return "not-recorded"
        call.recorder.stop()
        return ""

    # ---------------------------------------------------------------- what goes on

    def go_on(self, old: Call, new: Call) -> None:
        """Let the recording of a call go on in the one that a party of it talks in now."""
        running = old.recorder.running
        if running is not None:
            new.recorder.begin_later(running.following(next(self._names)))
            new.pace()

    def begin_again(self, call: Call, before: Recording) -> None:
        """Let a recording go on in another file: the engine that was writing it has died.

        Args:
            call: whose it is, which another engine knows of by now.
            before: the recording that was cut off.
        """
        call.recorder.begin(before.following(next(self._names)))

    def resumed(self, facts: CallFacts, state: CallState) -> Recording | None:
        """Return what ran in a call before a restart; None for nothing."""
        if not state.recording or not facts.recordings:
            return None
        return Recording(
            state.recording, self._folder, facts.recordings[-1], state.stereo, state.recorded_by
        )
