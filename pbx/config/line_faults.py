"""What is wrong with a line, each fault as a sentence that names the field."""

import re
from collections.abc import Collection, Iterator

from pbx.config import faults, line
from pbx.config.dial_plan import USERS
from pbx.config.line import Line
from pbx.config.recording import LINE_CHOICES
from pbx.config.refusal import command_error
from pbx.errors import CommandError

RESERVED: tuple[str, ...] = (USERS,)
"""What no line may be called, for the dial plan means something else by it."""

MOST_CALLS = 10_000

_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
"""RFC 3261 §25.1."""

# RFC 3261 §25.1, paramchar: unreserved, escaped, and what param-unreserved allows
_PARAMETER = r"[A-Za-z0-9\[\]/:&+$_.!~*'()%-]+"
_PARAMETERS = re.compile(rf";?{_PARAMETER}(={_PARAMETER})?(;{_PARAMETER}(={_PARAMETER})?)*")
_USER = re.compile(r"[!-~]{1,128}")
_HIDE = re.compile(r"privacy|from|prefix:[0-9*#+]{1,16}")


def line_faults(
    one: Line, time_conditions: Collection[str], users: Collection[str]
) -> Iterator[CommandError]:
    """Yield what is wrong with a line.

    Args:
        one: the line.
        time_conditions: the names of those that there are.
        users: the numbers of the local users.
    """
    if not faults.NAME.fullmatch(one.name) or one.name in RESERVED:
        yield command_error("line-name", name=one.name)
    yield from faults.choice("kind", one.kind, line.KINDS)
    yield from _address_faults(one)
    yield from _account_faults(one)
    yield from _number_faults(one)
    yield from _signalling_faults(one)
    yield from _call_faults(one)
    yield from faults.known("time_condition", one.time_condition, time_conditions, "time-condition")
    yield from faults.known("owner", one.owner, users, "user")


def _address_faults(one: Line) -> Iterator[CommandError]:
    if not one.server:
        yield command_error("field-missing", field="server")
    yield from faults.host_port("server", one.server)
    yield from faults.host("domain", one.domain)
    yield from faults.host_port("proxy", one.proxy)
    yield from faults.choice("transport", one.transport, line.TRANSPORTS)
    for peer in one.peers:
        if not (faults.is_network(peer) or faults.is_host(peer)):
            yield command_error("field-peer", field="peers", value=peer)
    if one.contact_address != line.LEARNED:
        yield from faults.host_port("contact_address", one.contact_address)
    if one.sdp_address not in ("", line.LEARNED) and not faults.is_address(one.sdp_address):
        yield command_error("field-address", field="sdp_address", value=one.sdp_address)
    yield from faults.span("expires_s", one.expires_s, 30, 604_800)
    yield from faults.choice("keep_alive", one.keep_alive, line.KEEP_ALIVES)
    yield from faults.span("keep_alive_s", one.keep_alive_s, 1, 3600)


def _account_faults(one: Line) -> Iterator[CommandError]:
    if one.registers and not one.user:
        yield command_error("field-missing", field="user")
    for field in ("user", "contact_user", "from_user"):
        value = getattr(one, field)
        if value and (not _USER.fullmatch(value) or set(value) & set('@<>"')):
            yield command_error("field-account", field=field, value=value)
    yield from faults.text("profile", one.profile)
    yield from faults.text("description", one.description)
    yield from faults.text("auth_name", one.auth_name)
    yield from faults.text("password", one.password)
    yield from faults.host("from_domain", one.from_domain)


def _number_faults(one: Line) -> Iterator[CommandError]:
    for field in ("number_format", "caller_format"):
        value = getattr(one, field)
        yield from faults.choice(field, value, line.NUMBER_FORMATS)
        if value != "dialled" and not one.country:
            yield command_error("line-needs", field="country", other=field, value=value)
        if value == "local" and not one.area:
            yield command_error("line-needs", field="area", other=field, value=value)
    if one.country and not re.fullmatch(r"[1-9][0-9]{0,3}", one.country):
        yield command_error("line-country", field="country", value=one.country)
    for field in ("area", "trunk_prefix", "international_prefix"):
        if not re.fullmatch(r"[0-9]{0,8}", getattr(one, field)):
            yield command_error("field-digits", field=field, value=getattr(one, field))
    yield from faults.digits("caller_number", one.caller_number)
    yield from faults.digits("destination", one.destination)
    yield from faults.choice("identity", one.identity, line.IDENTITIES)
    if not _HIDE.fullmatch(one.hide):
        yield from faults.choice("hide", one.hide, ("privacy", "from", "prefix:DIGITS"))
    for field in ("did_from", "caller_from"):
        yield from _source_faults(field, getattr(one, field))


def _source_faults(field: str, sources: tuple[str, ...]) -> Iterator[CommandError]:
    if not sources:
        yield command_error("field-missing", field=field)
    for source in sources:
        prefix, colon, header = source.partition(":")
        if not (colon and prefix == "header" and _TOKEN.fullmatch(header)):
            yield from faults.choice(field, source, (*line.SOURCES, "header:NAME"))


def _signalling_faults(one: Line) -> Iterator[CommandError]:
    yield from faults.choice("uri_form", one.uri_form, line.URI_FORMS)
    if one.uri_parameters and not _PARAMETERS.fullmatch(one.uri_parameters):
        yield command_error("line-parameters", field="uri_parameters", value=one.uri_parameters)
    yield from faults.text("uri_parameters", one.uri_parameters)
    yield from faults.choice("prack", one.prack, line.PRACK_CHOICES)
    yield from faults.choice("session_timer", one.session_timer, line.TIMER_CHOICES)
    yield from faults.span("session_s", one.session_s, 1, 86_400)
    yield from faults.span("min_se_s", one.min_se_s, 1, 3600)
    if one.session_s < one.min_se_s:
        yield command_error("field-order", low="min_se_s", high="session_s")
    yield from faults.choice("precondition", one.precondition, line.PRECONDITION_CHOICES)
    yield from faults.choice("dtmf", one.dtmf, line.DTMF_CHOICES)
    yield from faults.choice("ptime_ms", str(one.ptime_ms), ("0", "10", "20", "30", "40", "60"))
    known = {codec.lower() for codec in line.CODECS}
    for codec in one.codecs:
        if codec.lower() not in known:
            yield command_error(
                "line-codec", field="codecs", value=codec, choices=", ".join(line.CODECS)
            )


def _call_faults(one: Line) -> Iterator[CommandError]:
    for field in ("most_incoming", "most_outgoing", "most"):
        yield from faults.span(field, getattr(one, field), line.UNLIMITED, MOST_CALLS)
    for field in ("no_answer_s", "max_duration_s"):
        yield from faults.span(field, getattr(one, field), 0, faults.LONGEST_LIMIT_S)
    yield from faults.choice("record", one.record, LINE_CHOICES)
