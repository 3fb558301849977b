"""Asterisk as a carrier: subscribers register with it, or it is the peer of a trunk.

Whom a subscriber calls sends all sound back; a number that ends with 99 is busy, one that ends with 98
plays a tone, records what it hears, and presses keys when it's told.
"""

import itertools
from pathlib import Path

from pbx.net.certificate import Pair
from tests.interop import asterisk_conf
from tests.interop.ami import Message
from tests.interop.asterisk import AsteriskCall, Running, installed
from tests.interop.ports import Ports
from tests.interop.tones import write_tone
from tests.interop.waiting import until

FAR_HZ = 1000.0
"""What who plays a tone plays."""

_DIALPLAN = """\
[far]
exten => _[+0-9].,1,GotoIf($["${EXTEN:-2}" = "99"]?busy,1)
 same => n,GotoIf($["${EXTEN:-2}" = "98"]?talk,1)
 same => n,Answer()
 same => n,Echo()
exten => talk,1,Answer()
 same => n,MixMonitor(,r(@FOLDER@/heard/${UNIQUEID}.sln48))
 same => n(again),Playback(@FOLDER@/tone,noanswer)
 same => n,Goto(again)
exten => keys,1,SendDTMF(${KEYS},120,160)
 same => n,Goto(talk,again)
exten => busy,1,Hangup(17)
exten => transfer,1,Transfer(PJSIP/${TARGET})
 same => n,UserEvent(Transferred,Status: ${TRANSFERSTATUS},Code: ${TRANSFERSTATUSPROTOCOL})
 same => n,Echo()
"""

_TRANSPORT = """\
[{transport}]
type = transport
protocol = {transport}
bind = {address}:{port}
"""

_IDENTITY = """\
method = tlsv1_2
cert_file = {identity.certificate}
priv_key_file = {identity.key}
"""

_ENDPOINT = """\
[{name}]
type = endpoint
context = far
disallow = all
allow = alaw,ulaw
aors = {name}
direct_media = no
send_pai = yes
dtmf_mode = {keys}
trust_id_inbound = yes
rtp_symmetric = yes
"""

_SUBSCRIBER = """\
auth = {name}-auth
[{name}-auth]
type = auth
auth_type = userpass
username = {name}
password = {password}
[{name}]
type = aor
max_contacts = 1
remove_existing = yes
support_path = yes
"""

_PEER = """\
[{name}]
type = aor
contact = sip:{peer}\\;transport={transport}
qualify_frequency = 5
[{name}]
type = identify
endpoint = {name}
match = 127.0.0.1
"""


class AsteriskCarrier(Running):
    """One Asterisk with one subscriber or one peer.

    Args:
        folder: for all its files.
        ports: where its ports come from.
        name: the subscriber's number, or the peer's name.
        password: of the subscriber.
        peer: ``host:port`` of the peer; empty for a subscriber.
        address: of its own.
        transport: ``udp``, ``tcp`` or ``tls``.
        identity: its certificate and key, for TLS.
        keys: how it hears of keys, and tells of them: ``rfc4733``, ``info`` or ``inband``.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        name: str,
        password: str = "secret",
        peer: str = "",
        address: str = "127.0.0.41",
        transport: str = "udp",
        identity: Pair | None = None,
        keys: str = "rfc4733",
    ) -> None:
        first, sound = ports.block(4), ports.block(40)
        self.host = f"{address}:{first}"
        self.name = name
        self._calls = itertools.count(1)
        known = {
            "name": name,
            "password": password,
            "peer": peer,
            "address": address,
            "port": first,
            "transport": transport,
            "identity": identity,
            "keys": keys,
        }
        accounts = _TRANSPORT + (_IDENTITY if identity else "") + _ENDPOINT
        accounts += _PEER if peer else _SUBSCRIBER
        found = installed()
        asterisk_conf.write_files(
            folder,
            dialplan=_DIALPLAN.replace("@FOLDER@", str(folder)),
            pjsip=accounts.format(**known),
            control=first + 2,
            rtp=range(sound, sound + 40),
            modules=found.modules,
            data=found.data,
            more_modules="app_echo codec_alaw res_pjsip_registrar res_pjsip_path",
        )
        listening = Path(f"/proc/net/{'udp' if transport == 'udp' else 'tcp'}")
        write_tone(folder / "tone.wav", FAR_HZ, 60.0)
        self.start(folder, first + 2)
        try:
            until(
                "Asterisk listens",
                lambda: f":{first:04X} " in listening.read_text(),
                why_not=self.why,
            )
        except AssertionError:
            self.close()
            raise

    def call(self, caller: str, number: str = "") -> str:
        """Call the subscriber, or a number of the peer's; return the call's name."""
        call = f"in-{next(self._calls)}"
        to = f"PJSIP/{number}@{self.name}" if number else f"PJSIP/{self.name}"
        self.ami.ask(
            "Originate",
            Channel=to,
            ChannelId=call,
            Application="Echo",
            CallerID=f'"{caller}" <{caller}>',
            Async="true",
        )
        return call

    def talk(self, caller: str, number: str) -> AsteriskCall:
        """Call a number of the peer's, as whom it would call by a number that ends with 98."""
        call = f"in-{next(self._calls)}"
        self.ami.ask(
            "Originate",
            Channel=f"PJSIP/{number}@{self.name}",
            ChannelId=call,
            Context="far",
            Exten="talk",
            Priority="1",
            CallerID=f'"{caller}" <{caller}>',
            Async="true",
        )
        return AsteriskCall(self, call, number)

    def called(self) -> AsteriskCall:
        """Wait for the first call of the subscriber's, or the peer's."""
        event = self.wait("Newchannel", Context="far")
        return AsteriskCall(self, event["Uniqueid"])

    def wait_state(self, call: str, state: str) -> Message:
        """Wait until a call is in a state: ``Ringing``, ``Up``."""
        return self.wait("Newstate", Uniqueid=call, ChannelStateDesc=state)

    def transfer(self, call: str, uri: str) -> Message:
        """Transfer the subscriber by REFER; return what became of it, where the call goes on."""
        channel = self.wait("Newchannel", Uniqueid=call)["Channel"]
        self.ami.ask("Setvar", Channel=channel, Variable="TARGET", Value=uri)
        self.ami.ask("Redirect", Channel=channel, Context="far", Exten="transfer", Priority="1")
        return self.wait("UserEvent", UserEvent="Transferred", Uniqueid=call)
