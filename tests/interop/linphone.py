"""linphonec (Debian's linphone-cli): a phone of another make, driven by its command line."""

import itertools
import re
from pathlib import Path

from tests.interop.ports import Ports
from tests.interop.program import Program, find
from tests.interop.tones import Recording, heard_seconds, read_recording, write_tone
from tests.interop.waiting import until

# Without `features` linphonec mixes what it hears with a player of its own that nobody uses, and its
# mixer drops 10 ms now and then.
_CONFIG = """\
[sip]
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
root_ca={trusts}
verify_server_certs=1
verify_server_cn=1
use_ipv6=0
default_proxy=0
register_only_when_network_is_up=0
guess_hostname=1
media_encryption=none
use_info={info}
use_rfc2833={events}
session_expires_enabled={lasting}
session_expires_value=90
session_expires_min_value=90
[rtp]
audio_rtp_port={rtp}
audio_jitt_comp=60
audio_adaptive_jitt_comp_enabled=0
[net]
mtu=1300
[sound]
echocancellation=0
features=REMOTE_PLAYING
remote_ring=
local_ring=
[video]
capture=0
display=0
[proxy_0]
reg_proxy=<sip:{server};transport={transport}>
reg_identity=sip:{number}@{server}
reg_expires=120
reg_sendregister={register}
publish={publish}
[auth_info_0]
username={number}
passwd={password}
realm=minisipserver
"""

_CODEC = """\
[audio_codec_{place}]
mime={mime}
rate={rate}
channels={channels}
enabled={enabled}
"""

_CODECS = (
    ("opus", 48000, 2),
    ("speex", 32000, 1),
    ("speex", 16000, 1),
    ("speex", 8000, 1),
    ("PCMU", 8000, 1),
    ("PCMA", 8000, 1),
    ("GSM", 8000, 1),
    ("G722", 8000, 1),
    ("G729", 8000, 1),
    ("iLBC", 8000, 1),
    ("L16", 44100, 2),
    ("L16", 44100, 1),
)
"""All that it knows: one that is not named is switched on."""


def _codecs(wanted: tuple[str, ...]) -> str:
    return "".join(
        _CODEC.format(
            place=place, mime=mime, rate=rate, channels=channels, enabled=int(mime in wanted)
        )
        for place, (mime, rate, channels) in enumerate(_CODECS)
    )


class Linphone:
    """One linphonec with one account; it plays a tone from a file and records to another.

    Args:
        folder: its own folder, which is its home too.
        ports: where it gets its ports from.
        number, password: the account.
        server: the exchange's host and port.
        tone_hz: what it plays.
        transport: ``udp``, ``tcp`` or ``tls``.
        trusts: for ``tls``: the file of certificates that the exchange's must be among.
        answer: True to answer calls at once.
        register: False for a phone without exchange.
        codecs: which it uses.
        publish: True to tell the exchange of its presence.
        info: True to send keys by INFO.
        lasting: True for session timers, of 90 seconds.
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
        transport: str = "udp",
        trusts: Path | str = "",
        answer: bool = True,
        register: bool = True,
        codecs: tuple[str, ...] = ("PCMU", "PCMA"),
        publish: bool = False,
        info: bool = False,
        lasting: bool = False,
    ) -> None:
        program = find("linphonec")
        # Without its folder for databases linphonec complains, and goes on.
        (folder / ".local/share/linphone").mkdir(parents=True)
        self.number = number
        self._server = server
        first = ports.block(8)
        self.sip = f"127.0.0.1:{first}"
        self._heard = folder / "heard.wav"
        self._recordings = itertools.count(1)
        tone = folder / "tone.wav"
        write_tone(tone, tone_hz, 60.0)
        own = {kind: first if transport == kind else 0 for kind in ("udp", "tcp", "tls")}
        (folder / "rc").write_text(
            _CONFIG.format(
                **own,
                trusts=trusts,
                rtp=first + 2,
                server=server,
                transport=transport,
                number=number,
                password=password,
                register=int(register),
                publish=int(publish),
                info=int(info),
                events=int(not info),
                lasting=int(lasting),
            )
            + _codecs(codecs)
        )
        argv = [program, "-c", str(folder / "rc"), *(["-a"] if answer else [])]
        self.program = Program(
            f"linphonec-{number}", argv, folder, env={"HOME": str(folder)}, stdin=True, prompt=True
        )
        try:
            self.wait_said("linphonec>")
            self.command("soundcard use files")
            self.command(f"play {tone}")
            self.command(f"record {self._heard}")
        except AssertionError:
            self.program.end()
            raise

    def command(self, text: str) -> None:
        """Type one line."""
        pipe = self.program.process.stdin
        assert pipe is not None
        pipe.write(text.encode() + b"\n")
        pipe.flush()

    def wait_said(self, pattern: str, within_s: float = 30.0) -> None:
        """Wait until it has printed something that matches."""
        until(
            f"linphonec {self.number} says {pattern}",
            lambda: re.search(pattern, self.program.said()),
            within_s,
            why_not=self.program.last_words,
        )

    def dial(self, number: str) -> None:
        """Call a number of the exchange."""
        self.command(f"call sip:{number}@{self._server}")

    def hang_up(self) -> None:
        """End the call."""
        self.command("terminate")

    def record_anew(self) -> None:
        """Record what it hears to another file, from the next call on."""
        self._heard = self._heard.with_name(f"heard{next(self._recordings)}.wav")
        self.command(f"record {self._heard}")

    def calls(self) -> list[int]:
        """Return its numbers of all its calls so far."""
        return [int(one) for one in re.findall(r"assigned id (\d+)", self.program.said())]

    def keys(self, after: int = 0) -> list[str]:
        """Return the keys that have come, as it prints them; from the `after`-th character on."""
        return re.findall(r"Receiving tone (.) from", self.program.said()[after:])

    def wait_heard(self, tone_hz: float, seconds: float, within_s: float = 30.0) -> None:
        """Wait until its recording holds so much of the tone."""
        until(
            f"linphonec {self.number} hears {seconds:g} s of {tone_hz:g} Hz",
            lambda: self.heard_s(tone_hz) >= seconds,
            within_s,
            why_not=self.program.last_words,
        )

    def heard_s(self, tone_hz: float) -> float:
        """Return for how long it has heard the tone."""
        return heard_seconds(self._heard, tone_hz) if self._heard.exists() else 0.0

    def recording(self) -> Recording:
        """Return what it has heard."""
        return read_recording(self._heard)

    def close(self) -> None:
        """End the program."""
        self.program.end()
