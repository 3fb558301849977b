"""The recording of one call between two phones: wanted, running, ended."""

from collections.abc import Callable

from pbx.call.facts import CallFacts
from pbx.call.passage import Passage
from pbx.call.recording import Recording
from pbx.call.recording_signs import RecordingSigns
from pbx.locale import english
from pbx.media import protocol

MOST = 32
"""Recordings of a call: whoever has keys pressed by a program may not fill the disk, or the call's record."""


class CallRecording:
    """What is recorded of a call.

    Args:
        facts: the call's; its files are noted there.
        passage: what the call has in the media engine.
        changed: called where the facts have changed.
    """

    def __init__(self, facts: CallFacts, passage: Passage, changed: Callable[[], None]) -> None:
        self._facts = facts
        self._passage = passage
        self._changed = changed
        self._last: Recording | None = None
        self._wanted: Recording | None = None
        self._unread = ""
        """What the record says where somebody's wish to record it has failed."""

        self.signs: RecordingSigns | None = None
        """What the parties hear of it; set with `due`."""
        self.due: Callable[[], Recording | None] = lambda: None
        """What a call that has just been answered is recorded to by itself; None for nothing."""

    @property
    def running(self) -> Recording | None:
        """The recording that runs; None for none."""
        return self._last if self._passage.recording else None

    @property
    def expected(self) -> bool:
        """Whether a recording runs, or waits for the parties to be heard."""
        return self._wanted is not None or self.running is not None

    @property
    def full(self) -> bool:
        """Whether it has as many recordings as a call may have."""
        return len(self._facts.recordings) >= MOST

    def answered(self) -> None:
        """Begin what is recorded by itself, as soon as the parties can be heard."""
        if not self.expected:
            self._wanted = self.due()
        self.can_be_heard()

    def begin(self, recording: Recording, *, waits: bool = False) -> bool:
        """Record the call from now on; False where that is impossible, and the call's record says why.

        Args:
            recording: to what.
            waits: the parties may yet agree on what can be recorded; the record says nothing before
                the call's end.
        """
        facts = self._facts
        if facts.release is not None or facts.talk is None:
            return False
        if self.full:
            self.refused(english("unrecorded-often"))
            return False
        if not self._passage.record(recording.name, recording.path, stereo=recording.stereo):
            if not waits:
                self._unread = english("unrecorded-sound")
                self.refused(self._unread)
            return False
        if facts.recording_failure == self._unread:
            # Whoever has asked for it then has it now
            facts.recording_failure = ""
        self._last, self._wanted = recording, None
        facts.recordings += (recording.file,)
        if self.signs is not None:
            self.signs.begun()
        self._changed()
        return True

    def begin_later(self, recording: Recording) -> None:
        """Record the call as soon as its parties can be heard: that of one of them goes on."""
        self._wanted = self._wanted or recording

    def can_be_heard(self) -> None:
        """Begin what has waited: the parties have a session."""
        if self._wanted is not None:
            self.begin(self._wanted, waits=True)

    def resume(self, recording: Recording | None) -> None:
        """Take note, before anything is connected, of what has run since before a restart."""
        self._last = recording
        self._passage.resume_recording(recording.name if recording is not None else 0)

    def refused(self, why: str) -> None:
        """Note why a recording that is wanted doesn't begin."""
        self._facts.recording_failure = why
        self._changed()

    def stop(self, why: str = "") -> None:
        """End the recording that runs.

        Args:
            why: the rest of the call is not recorded against everybody's will; empty: somebody wants so.
        """
        if why:
            self._facts.recording_failure = why
        self._passage.stop_recording()
        self._ended()

    def _ended(self) -> None:
        if self.signs is not None:
            self.signs.ended()
        self._changed()

    def go_on(self) -> None:
        """Go on in an engine that has outlived the last exchange, but not what it played."""
        if self.running is not None and self.signs is not None:
            self.signs.go_on()

    def played(self, report: protocol.Played) -> bool:
        """Take note that what was played has ended; False where it is none of this call."""
        # Before the passage does, which would pass sound on when nothing is played
        if report.failure and self.signs is not None:
            self.signs.failed(report.player)
        return self._passage.played(report)

    def call_ended(self) -> None:
        """Note where a call should have been recorded and couldn't be."""
        if self._wanted is not None and self._facts.talk is not None:
            # Encrypted from end to end, or of a codec that we haven't got
            self._facts.recording_failure = english("unrecorded-sound")

    def reported(self, report: protocol.Recorded) -> bool:
        """Take note that a recording has ended by itself; False where it is none of this call."""
        if not self._passage.recorded(report):
            return False
        if report.failure:
            self._facts.recording_failure = report.failure
        if report.failure and not report.seconds:
            # There is no file.
            self._facts.recordings = self._facts.recordings[:-1]
        self._ended()
        return True
