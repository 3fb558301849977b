"""baresip (Debian's baresip-core): a phone that plays a tone and records what it hears."""

import json
import queue
import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.interop.ports import Ports
from tests.interop.program import Program, find
from tests.interop.tones import Recording, heard_seconds, read_recording, write_tone
from tests.interop.waiting import until

_CONFIG = """\
poll_method epoll
sip_listen {listen}
call_local_timeout 120
call_max_calls 4
audio_source aufile,{tone}
audio_player aubridge,speaker
audio_alert aubridge,bell
rtp_ports {rtp_first}-{rtp_last}
jitter_buffer_delay 1-20
net_interface {address}
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {folder}
ringback_disabled yes
menu_bell no
statmode_default off
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module l16.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
{more}module_app menu.so
module_app ctrl_tcp.so
"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that baresip told, such as ``CALL_ESTABLISHED``."""

    kind: str
    param: str


class Baresip:
    """One phone with one account.

    Args:
        folder: its own folder.
        ports: where it gets its ports from.
        number, password: the account.
        server: the exchange's host and port, as in a URI: ``127.0.0.1:5060`` or ``[::1]:5060``.
        transport: ``udp``, ``tcp`` or ``tls``, which believes any certificate in this version.
        codec: as in baresip's `audio_codecs`: ``pcmu``, ``pcma``, ``g722/16000/1``, ``L16/16000/1``.
        rate_hz: sampling rate of that codec.
        tone_hz: what it plays.
        tone_s: for how long, from the beginning of a call.
        answer: ``auto`` or ``manual``.
        address: its own, where it is not loopback.
        certificate: a PEM file with certificate and key, which it shows to who connects to it by TLS.
        modules: more of its modules, such as ``mwi``.
        friends: numbers whose presence it watches.
        levels: it offers to tell how loud its packets are, and to be told (RFC 6464).
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        number: str,
        password: str,
        server: str,
        tone_hz: float,
        tone_s: float = 60.0,
        transport: str = "udp",
        codec: str = "pcmu",
        rate_hz: int = 8000,
        answer: str = "auto",
        register_s: int = 120,
        address: str = "",
        certificate: Path | None = None,
        modules: tuple[str, ...] = (),
        friends: tuple[str, ...] = (),
        levels: bool = False,
    ) -> None:
        program = find("baresip")
        folder.mkdir(parents=True)
        self.folder = folder
        self.number = number
        host = address or ("[::1]" if server.startswith("[") else "127.0.0.1")
        self._ports = ports
        first = ports.block(32)
        self.sip = f"{host}:{first}"
        tone = folder / "tone.wav"
        write_tone(tone, tone_hz, tone_s, rate_hz)
        config = _CONFIG.format(
            listen=self.sip,
            address=host.strip("[]"),
            tone=tone,
            rtp_first=first + 10,
            rtp_last=first + 31,
            control=first + 4,
            folder=folder,
            more="".join(f"module_app {name}.so\n" for name in modules),
        )
        if certificate is not None:
            config += f"sip_certificate {certificate}\n"
        if levels:
            config += "audio_level yes\n"
        (folder / "config").write_text(config)
        known = [f'"{one}" <sip:{one}@{server}>;presence=p2p\n' for one in friends]
        (folder / "contacts").write_text("".join(known))
        who = (
            f"<sip:{number}@{server};transport={transport}>;auth_user={number};"
            f"auth_pass={password};answermode={answer};audio_codecs={codec};"
            f"regint={register_s};ptime=20"
        )
        later = "mwi" in modules
        (folder / "accounts").write_text("" if later else f"{who}\n")
        family = ["-6"] if host == "[::1]" else ["-4"]
        self.program = Program(
            f"baresip-{number}", [program, "-v", *family, "-f", str(folder)], folder, prompt=True
        )
        self._events: list[Event] = []
        self._answers: queue.Queue[dict[str, object]] = queue.Queue()
        self._control = self._connect(first + 4)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if later:
            # A phone that is registered before `mwi`'s first look, 1 ms after it is loaded,
            # subscribes without end.
            self.command("uanew", f"{who};mwi=yes")

    def _connect(self, port: int) -> socket.socket:
        try:
            return until(
                f"baresip {self.number} opens its control port",
                lambda: _try_connect(port),
                why_not=self.program.last_words,
            )
        except AssertionError:
            self.program.end()
            raise

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                data = self._control.recv(65536)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while b":" in buffer:
                length, _, rest = buffer.partition(b":")
                if len(rest) <= int(length):
                    break
                message = json.loads(rest[: int(length)].decode(errors="replace"))
                buffer = rest[int(length) + 1 :]
                if message.get("event"):
                    self._events.append(
                        Event(str(message.get("type")), str(message.get("param", "")))
                    )
                else:
                    self._answers.put(message)

    def command(self, name: str, params: str = "") -> str:
        """Carry out one command of baresip's menu; return what it prints."""
        text = json.dumps({"command": name, "params": params}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))
        try:
            answer = self._answers.get(timeout=30)
        except queue.Empty:
            raise AssertionError(f"baresip did not answer {name}\n{self.why()}") from None
        assert answer.get("ok"), f"baresip refused {name} {params}: {answer}"
        return str(answer.get("data", ""))

    def wait_event(self, kind: str, within_s: float = 30.0, *, after: int = 0) -> Event:
        """Return the first event of this kind from the `after`-th event on."""
        return until(
            f"baresip {self.number} says {kind}",
            lambda: next((e for e in self._events[after:] if e.kind == kind), None),
            within_s,
            why_not=self.why,
        )

    @property
    def mark(self) -> int:
        """How many events there have been: for `wait_event(after=...)`."""
        return len(self._events)

    def events(self, kind: str, after: int = 0) -> list[Event]:
        """Return all events of this kind so far, from the `after`-th event on."""
        return [event for event in self._events[after:] if event.kind == kind]

    def why(self) -> str:
        """Return what it has seen and printed, for a failure."""
        return f"events: {self._events}\n{self.program.last_words()}"

    def registered(self, within_s: float = 30.0) -> None:
        """Wait until the exchange has taken the registration."""
        # Its event may have come before we could listen, so this looks at what it prints.
        until(
            f"baresip {self.number} is registered",
            lambda: re.search(r"\{\d+/\w+/v[46]\} 200 ", self.program.said()),
            within_s,
            why_not=self.why,
        )

    def dial(self, number: str) -> None:
        """Call a number of the exchange."""
        self.command("dial", number)

    def hang_up(self) -> None:
        """End the call."""
        self.command("hangup")

    def recordings(self) -> list[Path]:
        """Return the files with what it has heard, one per stream start, oldest first."""
        return sorted(self.folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime)

    def wait_heard(self, tone_hz: float, seconds: float, within_s: float = 30.0) -> None:
        """Wait until it has heard so much of the tone."""
        until(
            f"{self.number} hears {seconds:g} s of {tone_hz:g} Hz",
            lambda: self.heard_s(tone_hz) >= seconds,
            within_s,
            why_not=self.why,
        )

    def heard_s(self, tone_hz: float) -> float:
        """Return how long it has heard the tone, over all recordings.

        baresip 1.0 records nothing more after the first re-INVITE: see `packets_received`.
        """
        return sum(heard_seconds(path, tone_hz) for path in self.recordings())

    def packets_received(self) -> int:
        """Return how many RTP packets the call has brought."""
        found = self.try_packets_received()
        assert found is not None, self.why()
        return found

    def try_packets_received(self) -> int | None:
        """Return how many RTP packets the call has brought; None where it can't say just now."""
        # One count for each source (SSRC) that it has heard
        counts = re.findall(r"rcvd=(\d+)", self.command("audio_debug"))
        return sum(map(int, counts)) if counts else None

    def level_told(self) -> float | None:
        """Return how loud the last packet was by its own header, in dBov; None where it doesn't say."""
        found = re.search(r"level (-?[0-9.]+) dBov", self.command("audio_debug"))
        return float(found[1]) if found else None

    def recording(self) -> Recording:
        """Return the newest recording."""
        files = self.recordings()
        assert files, f"{self.number} recorded nothing\n{self.why()}"
        return read_recording(files[-1])

    def close(self) -> None:
        """End the program."""
        self.program.end()
        self._control.close()
        self._reader.join(5)


def _try_connect(port: int) -> socket.socket | None:
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    except OSError:
        return None
    # For connecting only: a phone may have nothing to tell for longer than that.
    connection.settimeout(None)
    return connection
