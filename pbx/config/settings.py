"""The settings file, `minisip.toml`: every setting is optional."""

import codecs
import ipaddress
import itertools
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pbx.config import faults
from pbx.config.callback import MOST_REQUESTS, CallBackSettings
from pbx.config.countries import CODES
from pbx.config.database_url import parse_database
from pbx.config.dial_plan_faults import HIGHEST_LEVEL
from pbx.config.emergency_numbers import ALWAYS
from pbx.config.name_server import parse_name_server
from pbx.config.recording import RecordingSettings, recording_faults
from pbx.errors import StartError
from pbx.locale import LANGUAGES, say
from pbx.locale.decoding import fault_of_settings

CDR_SIDES: tuple[str, ...] = ("LO", "LT", "OO", "OT")
"""The half-calls of miniSIPServer's model, as `CdrSettings` names them."""

LAMP_CHOICES: tuple[str, ...] = ("users", "groups", "nobody")
"""Of `LampSettings`."""

MAX_SOCKET_PATH = 107
"""Bytes in the path of a Unix socket (unix(7): 108 with the closing NUL)."""

MAX_REALM = 64
"""Characters in the realm."""

# RFC 3261 §10.3 step 7: 423 is for intervals "smaller than one hour" only
_LONGEST_MINIMUM_S = 3600

# RFC 3261 §20.19: "an integral number of seconds (in decimal) between 0 and (2**32)-1"
_LONGEST_EXPIRES_S = 2**32 - 1

# A year: a longer limit is a slip of the keyboard.
_LONGEST_SESSION_S = 3600
"""Of the shortest session interval: with more, a phone that asks for less would be refused."""

_LONGEST_LIMIT_S = 31_536_000

# As long as a room's number and password leave it in what a telephone can dial.
_SERVICE_NUMBER = re.compile(r"[0-9*#]{1,12}")

_WEB_PORTS = ("ws_port", "wss_port")

TLS_PORT = 5061
"""RFC 3261 §19.1.2: the default port of sips URIs."""

# RFC 6454 §6.2: scheme, host and a port that isn't the scheme's own; browsers write it in lower case
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")


class SipSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[sip]``: where phones reach the exchange, and how registrations run.

    Args:
        port: UDP and TCP port.
        tls_port: TLS port; 0 for no TLS. `Settings.tls_port` is the one in force.
        ws_port, wss_port: WebSocket ports, without TLS and with it; 0 for none.
        ws_origins: web sites whose pages may connect to them, as ``https://example.org``; empty for
            all.
        addresses: listen on these local addresses only; empty for all that the machine has.
        name_servers: who is asked for the names in phones' and proxies' URIs (RFC 3263), as address
            or address and port; empty for the system's own.
        realm: the realm of digest authentication; changing it voids every stored password.
        min_expires_s, max_expires_s, default_expires_s: bounds of a registration (RFC 3261 §10.3).
        max_contacts: phones that one user may register.
    """

    port: int = 5060
    tls_port: int | msgspec.UnsetType = msgspec.UNSET
    ws_port: int = 0
    wss_port: int = 0
    ws_origins: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    name_servers: tuple[str, ...] = ()
    realm: str = "minisipserver"
    min_expires_s: int = 60
    max_expires_s: int = 3600
    default_expires_s: int = 3600
    max_contacts: int = 10


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[tls]``: the exchange's certificate.

    Args:
        certificate, key: paths of PEM files, from the data folder; both empty for the ones that the
            exchange makes itself.
        authorities: a PEM file with those who may say who a peer is that we connect to by TLS, or
            with such peers' own certificates; empty for whom the system trusts.
    """

    certificate: str = ""
    key: str = ""
    authorities: str = ""


class CallSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[calls]``: time limits in seconds; 0 for none.

    Args:
        no_answer_s: how long a phone rings.
        max_duration_s: how long a call may last.
        session_s: a call whose phone gives no sign of life for so long ends (RFC 4028).
        min_se_s: the shortest such time that a phone may ask for.
        prack: provisional responses are acknowledged, where the phone knows that (RFC 3262).
    """

    no_answer_s: float = 60.0
    max_duration_s: float = 0.0
    session_s: float = 1800.0
    min_se_s: float = 90.0
    prack: bool = True


class MediaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[media]``: the RTP port range and when a silent call is ended.

    Args:
        first_port, last_port: RTP takes the even ports, RTCP the odd ones.
        timeout_s: end a call when a party that should send has sent nothing for so long; 0 never.
        grace_s: how long calls keep their sound when the exchange itself has died.
        convert: let phones without a common codec talk, by converting between theirs.
        threads: of the media engine, each of which moves packets on a core of its own; 0: one less
            than the cores that there are.
        country: whose tones are played, and known when they are heard (ISO 3166-1 alpha-2); where it
            is empty, or none of `pbx.media.tones.countries`: those that E.180 recommends.
    """

    first_port: int = 20000
    last_port: int = 20999
    timeout_s: float = 60.0
    grace_s: float = 20.0
    convert: bool = True
    threads: int = 0
    country: str = ""


class CdrSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[cdr]``: which half-calls leave a record: LO, LT, OO, OT.

    L: local user, O: outside; O: as caller (originating), T: as callee (terminating).
    """

    sides: tuple[str, ...] = ("LO", "OO")


class ServiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[services]``: numbers that the exchange itself answers; empty switches a service off.

    So does a number that is an emergency number in every country (`refused`).

    Args:
        echo: says what it hears.
        milliwatt: the test tone of 1004 Hz and 0 dBm0.
        music: plays the WAV files in the data folder's ``music``, or else a tune of our own.
        recorder: records, and plays it back.
        conference: what stands before a room's number.
        conference_parties: who may be in a room at once.
        record_s: how long the recorder records at the most.
        record_silence_s: how long its caller may be silent before it stops; 0 for without end.
    """

    echo: str = "*43"
    milliwatt: str = "*45"
    music: str = "*46"
    recorder: str = "*47"
    conference: str = "*6*"
    conference_parties: int = 5
    record_s: float = 120.0
    record_silence_s: float = 10.0

    @property
    def numbers(self) -> dict[str, str]:
        """The number of each service that is switched on, by the setting's name."""
        return {name: one for name, one in self._named.items() if one and one not in ALWAYS}

    @property
    def refused(self) -> dict[str, str]:
        """The services that are off because their number is an emergency number.

        A settings file from before that was refused goes on being good for all the rest.

        Returns:
            Their numbers, by the setting's full name.
        """
        return {f"services.{name}": one for name, one in self._named.items() if one in ALWAYS}

    @property
    def _named(self) -> dict[str, str]:
        names = ("echo", "milliwatt", "music", "recorder", "conference")
        return {name: getattr(self, name) for name in names}


class MessageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[messages]``: texts for users none of whose phones is there.

    Args:
        keep_s: how long one waits for its recipient; 0 keeps none.
        most: how many wait for one user at the most.
    """

    keep_s: float = 604_800.0
    most: int = 100


class LampSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[lamps]``: whose calls and presence a user may watch, and pick up while they ring.

    Everybody may watch and pick up their own; who is no user of the exchange may do neither.

    Args:
        watch, pick_up: ``users`` for those of every user, ``groups`` for those of who is in a group
            with them, ``nobody``.
        groups: each the numbers of its users.
    """

    watch: str = "users"
    pick_up: str = "users"
    groups: tuple[tuple[str, ...], ...] = ()

    def may_watch(self, user: str, other: str) -> bool:
        """Whether a user is told of another one's calls and presence."""
        return self._may(self.watch, user, other)

    def may_pick_up(self, user: str, other: str) -> bool:
        """Whether a user may answer a call that rings at another one's phone."""
        return self._may(self.pick_up, user, other)

    def _may(self, whom: str, user: str, other: str) -> bool:
        if user == other or whom == "users":
            return True
        return whom == "groups" and any(user in each and other in each for each in self.groups)


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[http]``: provisioning of softphones by QR code; port 0 opens nothing."""

    port: int = 8080


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `minisip.toml`.

    Args:
        database: empty for the embedded SQLite, or
            ``mysql://user:password@host[:port]/name`` for MariaDB.
        language: ``en``, ``zh``, or empty for the environment's.
        control_socket: the control API's socket; empty for ``control.sock`` in the service's
            runtime folder (systemd), or else in the data folder.
    """

    database: str = ""
    language: str = ""
    control_socket: str = ""
    sip: SipSettings = SipSettings()
    tls: TlsSettings = TlsSettings()
    calls: CallSettings = CallSettings()
    media: MediaSettings = MediaSettings()
    cdr: CdrSettings = CdrSettings()
    services: ServiceSettings = ServiceSettings()
    messages: MessageSettings = MessageSettings()
    lamps: LampSettings = LampSettings()
    http: HttpSettings = HttpSettings()
    callback: CallBackSettings = CallBackSettings()
    recording: RecordingSettings = RecordingSettings()

    @property
    def tls_port(self) -> int:
        """The TLS port: the one that is set, or else the usual one where that is free; 0 for none."""
        if isinstance(self.sip.tls_port, int):
            return self.sip.tls_port
        return 0 if self.tls_yields_to else TLS_PORT

    @property
    def tls_yields_to(self) -> str:
        """The setting that has TLS's usual port, where no other is set for TLS; else empty.

        A settings file from before there was TLS goes on being right.
        """
        if isinstance(self.sip.tls_port, int):
            return ""
        if self.media.first_port <= TLS_PORT <= self.media.last_port:
            return "media.first_port"
        others = (name for name, port in _other_ports(self).items() if port == TLS_PORT)
        return next(others, "")


def read_settings(path: Path) -> Settings:
    """Return the settings of the file at `path`.

    Raises:
        StartError: with the file's name and, where it can be told, the setting that is wrong.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        sentence = say("cannot-read-settings", path=path, why=error.strerror or error)
        raise StartError(sentence, os.EX_CONFIG) from error
    return parse_settings(text, str(path))


def parse_settings(text: bytes, name: str) -> Settings:
    """Return the settings in `text`; `name` stands in the error's sentence.

    Raises:
        StartError: naming the setting that is wrong, such as ``sip.port``.
    """
    try:
        # Editors on Windows begin a file with a mark that TOML doesn't know.
        settings = msgspec.toml.decode(text.removeprefix(codecs.BOM_UTF8), type=Settings)
        why = next(_faults(settings), None)
    # ValueError: no UTF-8, or a number of thousands of digits; RecursionError: nested as deeply
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        sentence = say("bad-settings", path=name, why=fault_of_settings(str(error)))
        raise StartError(sentence, os.EX_CONFIG) from error
    if why is not None:
        raise StartError(say("bad-settings", path=name, why=why), os.EX_CONFIG)
    return settings


def _faults(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong, each naming its setting."""
    yield from _choice("language", settings.language, ("", *LANGUAGES))
    yield from _database_faults(settings.database)
    if len(os.fsencode(settings.control_socket)) > MAX_SOCKET_PATH:
        yield say("setting-path-long", setting="control_socket", most=MAX_SOCKET_PATH)
    yield from _sip_faults(settings.sip)
    if bool(settings.tls.certificate) != bool(settings.tls.key):
        yield say("setting-together", one="tls.certificate", other="tls.key")
    yield from _range("calls.no_answer_s", settings.calls.no_answer_s, 0, _LONGEST_LIMIT_S)
    yield from _range("calls.max_duration_s", settings.calls.max_duration_s, 0, _LONGEST_LIMIT_S)
    yield from _range("calls.session_s", settings.calls.session_s, 0, _LONGEST_LIMIT_S)
    yield from _range("calls.min_se_s", settings.calls.min_se_s, 1, _LONGEST_SESSION_S)
    if 0 < settings.calls.session_s < settings.calls.min_se_s:
        yield say("setting-order", low="calls.min_se_s", high="calls.session_s")
    yield from _media_faults(settings.media)
    yield from _cdr_faults(settings.cdr)
    yield from _service_faults(settings.services)
    yield from _range("messages.keep_s", settings.messages.keep_s, 0, _LONGEST_LIMIT_S)
    yield from _range("messages.most", settings.messages.most, 1, 10_000)
    yield from _choice("lamps.watch", settings.lamps.watch, LAMP_CHOICES)
    yield from _choice("lamps.pick_up", settings.lamps.pick_up, LAMP_CHOICES)
    yield from _range("http.port", settings.http.port, 0, 65535)
    yield from _callback_faults(settings.callback)
    yield from recording_faults(settings.recording)
    yield from _port_clashes(settings)


def _range(setting: str, value: float, least: float, most: float) -> Iterator[str]:
    # A number that isn't finite (TOML has inf and nan) is in no range.
    if not (least <= value <= most and math.isfinite(value)):
        yield say("setting-range", setting=setting, value=value, least=least, most=most)


def _choice(setting: str, value: str, choices: tuple[str, ...]) -> Iterator[str]:
    if value not in choices:
        listed = ", ".join(f"'{choice}'" for choice in choices)
        yield say("setting-choice", setting=setting, value=value, choices=listed)


def _database_faults(url: str) -> Iterator[str]:
    try:
        parse_database(url)
    except ValueError:
        # the value isn't repeated: it holds a password
        yield say("setting-database", setting="database")


def _sip_faults(sip: SipSettings) -> Iterator[str]:
    yield from _range("sip.port", sip.port, 1, 65535)
    if isinstance(sip.tls_port, int):
        yield from _range("sip.tls_port", sip.tls_port, 0, 65535)
    for name in _WEB_PORTS:
        yield from _range(f"sip.{name}", getattr(sip, name), 0, 65535)
    for index, text in enumerate(sip.ws_origins):
        if not _ORIGIN.fullmatch(text):
            yield say("setting-origin", setting=f"sip.ws_origins[{index}]", value=text)
    for index, text in enumerate(sip.addresses):
        if not _is_local_address(text):
            yield say("setting-address", setting=f"sip.addresses[{index}]", value=text)
        elif text in sip.addresses[:index]:
            yield say("setting-repeated", setting="sip.addresses", value=text)
    for index, text in enumerate(sip.name_servers):
        try:
            parse_name_server(text)
        except ValueError:
            yield say("setting-name-server", setting=f"sip.name_servers[{index}]", value=text)
    if (
        not 0 < len(sip.realm) <= MAX_REALM
        or not sip.realm.isprintable()
        or '"' in sip.realm
        or "\\" in sip.realm
    ):
        yield say("setting-realm", setting="sip.realm")
    yield from _range("sip.min_expires_s", sip.min_expires_s, 1, _LONGEST_MINIMUM_S)
    yield from _range("sip.max_expires_s", sip.max_expires_s, 1, _LONGEST_EXPIRES_S)
    if sip.min_expires_s > sip.default_expires_s:
        yield say("setting-order", low="sip.min_expires_s", high="sip.default_expires_s")
    if sip.default_expires_s > sip.max_expires_s:
        yield say("setting-order", low="sip.default_expires_s", high="sip.max_expires_s")
    yield from _range("sip.max_contacts", sip.max_contacts, 1, 100)


def _is_local_address(text: str) -> bool:
    """Whether text is an address that a machine can have; 0.0.0.0 and :: are none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast)


def _media_faults(media: MediaSettings) -> Iterator[str]:
    yield from _range("media.first_port", media.first_port, 1024, 65534)
    yield from _range("media.last_port", media.last_port, 1025, 65535)
    # RFC 3550 §11: RTP takes an even port, RTCP the odd one above it
    if media.first_port % 2:
        yield say("setting-even", setting="media.first_port", value=media.first_port)
    if not media.last_port % 2:
        yield say("setting-odd", setting="media.last_port", value=media.last_port)
    if media.first_port > media.last_port:
        yield say("setting-order", low="media.first_port", high="media.last_port")
    elif media.last_port - media.first_port < 3:
        yield say("setting-ports-few")
    yield from _range("media.timeout_s", media.timeout_s, 0, _LONGEST_LIMIT_S)
    yield from _range("media.grace_s", media.grace_s, 0, _LONGEST_LIMIT_S)
    yield from _range("media.threads", media.threads, 0, 64)
    if media.country and media.country not in CODES:
        yield say("setting-country", setting="media.country", value=media.country)


def _cdr_faults(cdr: CdrSettings) -> Iterator[str]:
    for index, side in enumerate(cdr.sides):
        yield from _choice(f"cdr.sides[{index}]", side, CDR_SIDES)
        if side in cdr.sides[:index]:
            yield say("setting-repeated", setting="cdr.sides", value=side)


def _service_faults(services: ServiceSettings) -> Iterator[str]:
    numbers = services.numbers
    for name, number in numbers.items():
        setting = f"services.{name}"
        if not _SERVICE_NUMBER.fullmatch(number):
            yield say("setting-service-number", setting=setting, value=number)
        for other, same in numbers.items():
            if other == name:
                break
            if same == number:
                yield say("setting-service-same", one=f"services.{other}", other=setting)
        room = numbers.get("conference", "")
        if name != "conference" and room and number.startswith(room):
            # what follows would be a room
            yield say("setting-service-room", setting=setting, conference="services.conference")
    yield from _range("services.conference_parties", services.conference_parties, 2, 100)
    yield from _range("services.record_s", services.record_s, 1, 3600)
    yield from _range("services.record_silence_s", services.record_silence_s, 0, 3600)


def _callback_faults(callback: CallBackSettings) -> Iterator[str]:
    yield from _range("callback.port", callback.port, 0, 65535)
    server = callback.application_server
    if server and not faults.is_address(server):
        yield say("setting-callback-address", setting="callback.application_server", value=server)
    for _ in faults.digits("callback.caller", callback.caller):
        yield say("setting-digits", setting="callback.caller", value=callback.caller)
    yield from _range("callback.call_level", callback.call_level, 0, HIGHEST_LEVEL)
    yield from _range("callback.most", callback.most, 1, MOST_REQUESTS)


def _other_ports(settings: Settings) -> dict[str, int]:
    """All ports but TLS's, by their settings."""
    sip = settings.sip
    ports = {"sip.port": sip.port}
    ports |= {f"sip.{name}": getattr(sip, name) for name in _WEB_PORTS}
    return ports | {"http.port": settings.http.port}


def _port_clashes(settings: Settings) -> Iterator[str]:
    media = settings.media
    ports = {"sip.tls_port": settings.tls_port} | _other_ports(settings)
    for setting, number in ports.items():
        if setting != "http.port" and media.first_port <= number <= media.last_port:
            yield say("setting-ports-clash", setting=setting)
    for other, one in itertools.combinations(ports, 2):
        if ports[one] == ports[other] != 0:
            yield say("setting-ports-same", one=one, other=other)
