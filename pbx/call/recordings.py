"""The recordings of calls between two phones, as the administrator asks for them."""

from collections.abc import Iterator, Mapping

from pbx.call.any_call import AnyCall
from pbx.call.call import Call
from pbx.call.facts import CallFacts
from pbx.call.journal import CallState
from pbx.call.recording import Recording


class Recordings:
    """Begins and ends recordings.

    Args:
        calls: the exchange's, by id.
        names: gives each a name that nothing in the engine has.
        folder: where the files go.
    """

    def __init__(self, calls: Mapping[str, AnyCall], names: Iterator[int], folder: str) -> None:
        self._calls = calls
        self._names = names
        self._folder = folder

    def record(self, call_id: str, file: str, *, stereo: bool) -> str:
        """Record a call between two phones from now on.

        Args:
            call_id: the call.
            file: the new file, ``YYYYMMDD/name.wav``; its folder is there.
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
        recording = Recording(next(self._names), self._folder, file, stereo)
        return "" if call.recorder.begin(recording) else "not-recordable"

    def stop(self, call_id: str) -> str:
        """End the recording of a call; returns why that is impossible, as `record` does."""
        call = self._calls.get(call_id)
        if call is None:
            return "unknown-call"
        if not isinstance(call, Call) or not call.recording:
            return "not-recorded"
        call.recorder.stop()
        return ""

    def go_on(self, old: Call, new: Call) -> None:
        """Let the recording of a call go on in the one that a party of it talks in now."""
        running = old.recorder.running
        if running is not None:
            new.recorder.begin_later(running.following(next(self._names)))

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
        return Recording(state.recording, self._folder, facts.recordings[-1], state.stereo)
