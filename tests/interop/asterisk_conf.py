"""What Asterisk is told: modules, dialplan, and for each line transport, account and endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MODULES = """
app_mixmonitor app_playback app_senddtmf app_transfer app_userevent app_dial app_stack
bridge_simple bridge_builtin_features
chan_pjsip codec_ulaw codec_resample format_wav format_pcm format_sln func_channel pbx_config
res_musiconhold res_pjproject res_pjsip res_pjsip_authenticator_digest res_pjsip_caller_id
res_pjsip_dtmf_info res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user
res_pjsip_logger res_pjsip_outbound_authenticator_digest res_pjsip_outbound_registration
res_pjsip_pubsub res_pjsip_refer res_pjsip_rfc3326 res_pjsip_sdp_rtp res_pjsip_session
res_rtp_asterisk res_sorcery_astdb res_sorcery_config res_sorcery_memory res_timing_timerfd
"""

_DIRECTORIES = """\
[directories]
astetcdir => {folder}/etc
astmoddir => {modules}
astvarlibdir => {folder}/lib
astdbdir => {folder}/lib
astkeydir => {folder}/lib
astdatadir => {data}
astagidir => {folder}/lib
astspooldir => {folder}/spool
astrundir => {folder}/run
astlogdir => {folder}/log
[options]
verbose = 3
nocolor = yes
dumpcore = no
"""

_DIALPLAN = """\
[far]
; Who calls gets what the variable says: talk, ring or early
exten => _X.,1,Goto(${INCOMING},1)
exten => talk,1,Answer()
 same => n,Goto(called,1)
; Whom it calls hears it, and is heard, as soon as there is a way
exten => called,1,MixMonitor(,r(@FOLDER@/heard/${UNIQUEID}.sln48))
 same => n(again),Playback(@FOLDER@/tone,noanswer)
 same => n,Goto(again)
exten => ring,1,Ringing()
 same => n,Wait(60)
exten => early,1,Progress()
 same => n,Playback(@FOLDER@/tone,noanswer)
exten => keys,1,SendDTMF(${KEYS},120,160)
 same => n,UserEvent(KeysSent)
 same => n,Goto(called,again)
; Who has been transferred leaves, and with it the dialplan: what became of it is told at the end
exten => transfer,1,Transfer(PJSIP/${TARGET})
 same => n,Goto(called,again)
exten => h,1,UserEvent(Transferred,Status: ${TRANSFERSTATUS},Code: ${TRANSFERSTATUSPROTOCOL})
exten => refresh,1,Set(PJSIP_SEND_SESSION_REFRESH()=${METHOD})
 same => n,Goto(called,again)
"""

_TRANSPORTS = """\
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{port}
[tcp]
type = transport
protocol = tcp
bind = 127.0.0.1:{port}
[tls]
type = transport
protocol = tls
bind = 127.0.0.1:{tls_port}
method = tlsv1_2
ca_list_file = {trusts}
verify_server = yes
"""

_LINE = """\
[{number}-account]
type = auth
auth_type = userpass
username = {number}
password = {password}
[{number}]
type = registration
transport = {transport}
outbound_auth = {number}-account
server_uri = sip:{server}{way}
client_uri = sip:{number}@{server}
contact_user = {number}
expiration = 120
max_random_initial_delay = 0
retry_interval = 2
line = yes
endpoint = {number}
[{number}]
type = aor
contact = sip:{server}{way}
[{number}]
type = endpoint
transport = {transport}
context = far
disallow = all
allow = ulaw
aors = {number}
outbound_auth = {number}-account
from_user = {number}
from_domain = 127.0.0.1
direct_media = no
moh_passthrough = yes
dtmf_mode = {keys}
timers = {timers}
timers_min_se = 90
timers_sess_expires = 90
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One number of Asterisk's.

    Args:
        number, password: the account.
        transport: ``udp``, ``tcp`` or ``tls``.
        keys: ``rfc4733``, ``info`` or ``inband``.
        lasting: it insists on session timers, of 90 seconds.
    """

    number: str
    password: str
    transport: str
    keys: str = "rfc4733"
    lasting: bool = False


def write(
    folder: Path,
    lines: Sequence[Line],
    *,
    servers: dict[str, str],
    trusts: Path,
    ports: tuple[int, int, int],
    rtp: range,
    modules: Path,
    data: Path,
) -> None:
    """Write all of Asterisk's files.

    Args:
        folder: below which all of them are.
        lines: its numbers.
        servers: the exchange's host and port for each transport.
        trusts: the certificate that the exchange's must be.
        ports: for UDP and TCP, for TLS, and for control.
        rtp: for sound.
        modules, data: folders of the package.
    """
    accounts = [
        _LINE.format(
            number=line.number,
            password=line.password,
            transport=line.transport,
            server=servers[line.transport],
            way="" if line.transport == "udp" else f"\\;transport={line.transport}",
            keys=line.keys,
            timers="always" if line.lasting else "yes",
        )
        for line in lines
    ]
    transports = _TRANSPORTS.format(port=ports[0], tls_port=ports[1], trusts=trusts)
    write_files(
        folder,
        dialplan=_DIALPLAN.replace("@FOLDER@", str(folder)),
        pjsip=transports + "".join(accounts),
        control=ports[2],
        rtp=rtp,
        modules=modules,
        data=data,
    )


def write_files(
    folder: Path,
    *,
    dialplan: str,
    pjsip: str,
    control: int,
    rtp: range,
    modules: Path,
    data: Path,
    more_modules: str = "",
) -> None:
    """Write all files of an Asterisk with this dialplan and these accounts; see `write`."""
    etc = folder / "etc"
    for name in ("etc", "lib", "spool", "run", "log", "heard"):
        (folder / name).mkdir(parents=True)
    names = "".join(f"load = {name}.so\n" for name in (_MODULES + more_modules).split())
    files = {
        "asterisk": _DIRECTORIES.format(folder=folder, modules=modules, data=data),
        "modules": f"[modules]\nautoload = no\n{names}",
        "extensions": dialplan,
        "pjsip": "[global]\ntype = global\n" + pjsip,
        "rtp": f"[general]\nrtpstart = {rtp.start}\nrtpend = {rtp.stop - 1}\nicesupport = no\n",
        "logger": "[logfiles]\nmessages = notice,warning,error,verbose\n",
        "cli": "[startup_commands]\npjsip set logger on = yes\n",
        "manager": (
            f"[general]\nenabled = yes\nport = {control}\nbindaddr = 127.0.0.1\n"
            "[test]\nsecret = test\nread = all\nwrite = all\n"
        ),
        "musiconhold": "",
    }
    for name, text in files.items():
        (etc / f"{name}.conf").write_text(text)
