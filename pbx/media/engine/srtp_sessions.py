"""Which SRTP sessions the streams use, and which are still open because a kernel may be using them."""

from dataclasses import dataclass

from pbx.media.engine.kernels.srtp import INBOUND, OUTBOUND
from pbx.media.engine.libraries import Libraries
from pbx.media.engine.srtp import SrtpError, close_session, open_session
from pbx.media.protocol import Srtp


@dataclass(frozen=True, slots=True)
class _Used:
    """What a stream's present sessions were opened with.

    Args:
        srtp: what the exchange wants.
        sessions: their addresses, by `OUTBOUND` and `INBOUND`; 0 none.
    """

    srtp: Srtp
    sessions: tuple[int, int]


class SrtpSessions:
    """Opens sessions when a stream is set, and closes them once the packet thread needs them no more.

    Args:
        libraries: what this machine has.
    """

    def __init__(self, libraries: Libraries) -> None:
        self._libraries = libraries
        self._used: dict[int, _Used] = {}
        self._open: set[int] = set()

    def set(self, row: int, srtp: Srtp | None) -> tuple[int, int]:
        """Return the addresses of the sessions that a stream is to use, outbound and inbound; 0 none.

        A direction whose key stays the same keeps its session, and so its place in the turns of
        the sequence numbers and its memory of what has come (RFC 3711 §3.3.1, §3.3.2).

        Raises:
            SrtpError: there is no such suite here, or a key has the wrong length; nothing changes.
        """
        before = self._used.get(row)
        if srtp is None:
            self._used.pop(row, None)
            return 0, 0
        outbound = self._session(OUTBOUND, srtp, before)
        try:
            inbound = self._session(INBOUND, srtp, before)
        except SrtpError:
            if before is None or outbound not in before.sessions:
                self.close([outbound])
            raise
        self._used[row] = _Used(srtp, (outbound, inbound))
        return outbound, inbound

    def _session(self, direction: int, srtp: Srtp, before: _Used | None) -> int:
        key = _key(srtp, direction)
        if not key:
            return 0
        if before is not None:
            as_before = before.srtp.suite == srtp.suite and _key(before.srtp, direction) == key
            if as_before:
                return before.sessions[direction]
        session = open_session(self._libraries, srtp.suite, key, direction)
        self._open.add(session)
        return session

    def release(self, row: int) -> None:
        """Take note that a stream is being released."""
        self._used.pop(row, None)

    def close(self, sessions: list[int]) -> None:
        """Close sessions that nothing uses any more; 0 is none."""
        for session in sessions:
            if session:
                self._open.remove(session)
                close_session(self._libraries, session)

    def close_all(self) -> None:
        """Close what is left; the packet thread has ended."""
        self.close(list(self._open))


def _key(srtp: Srtp, direction: int) -> bytes:
    return srtp.sending if direction == OUTBOUND else srtp.receiving
