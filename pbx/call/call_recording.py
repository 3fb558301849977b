"""The recording of one call between two phones: wanted, running, ended."""

from collections.abc import Callable

from pbx.call.facts import CallFacts
from pbx.call.passage import Passage
from pbx.call.recording import Recording
from pbx.media import protocol


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

    @property
    def running(self) -> Recording | None:
        """The recording that runs; None for none."""
        return self._last if self._passage.recording else None

    def begin(self, recording: Recording) -> bool:
        """Record the call from now on; False where that is impossible."""
        facts = self._facts
        if facts.release is not None or facts.talk is None:
            return False
        if not self._passage.record(recording.name, recording.path, stereo=recording.stereo):
            return False
        self._last, self._wanted = recording, None
        facts.recordings += (recording.file,)
        self._changed()
        return True

    def begin_later(self, recording: Recording) -> None:
        """Record the call as soon as its parties can be heard: that of one of them goes on."""
        self._wanted = self._wanted or recording

    def can_be_heard(self) -> None:
        """Begin what has waited: the parties have a session."""
        if self._wanted is not None:
            self.begin(self._wanted)

    def resume(self, recording: Recording | None) -> None:
        """Take note, before anything is connected, of what has run since before a restart."""
        self._last = recording
        self._passage.resume_recording(recording.name if recording is not None else 0)

    def stop(self) -> None:
        """End the recording that runs."""
        self._passage.stop_recording()
        self._changed()

    def reported(self, report: protocol.Recorded) -> bool:
        """Take note that a recording has ended by itself; False where it is none of this call."""
        if not self._passage.recorded(report):
            return False
        if report.failure and not report.seconds:
            # There is no file.
            self._facts.recordings = self._facts.recordings[:-1]
        self._changed()
        return True
