"""The URIs by which a line knows numbers: of a call's target, and of its parties (RFC 3261, RFC 3966)."""

from pbx.config.line import Line
from pbx.lines.server import hop_of
from pbx.sip.uri import Params, SipUri, TelUri


def request_uri(line: Line, number: str) -> str:
    """Return an INVITE's Request-URI.

    Args:
        line: its `form`, and its `uri_parameters`, which stand here alone.
        number: the called number in the line's format.
    """
    parameters: Params = (("user", "phone"),) if line.form == "phone" else ()
    asked = ";" + line.uri_parameters.strip().strip(";") if line.uri_parameters.strip(" ;") else ""
    for one in asked.split(";")[1:]:
        name, _, value = one.strip().partition("=")
        if name.lower() not in {known for known, _ in parameters}:
            parameters += ((name, value),)
    if line.form == "tel":
        return str(_tel(line, number, parameters))
    server = None if line.domain else hop_of(line.server, "")
    host, port = (server.host, server.port) if server else (account_host(line), None)
    return str(SipUri("sip", number, None, host, port, parameters))


def address(line: Line, number: str) -> SipUri:
    """Return the address of a party whose number is `number`, in the line's domain."""
    return SipUri("sip", number, None, line.from_domain.strip("[]") or account_host(line))


def called(line: Line, number: str) -> SipUri | TelUri:
    """Return the address that To names: as the Request-URI has it, without parameters."""
    if line.form == "tel":
        return _tel(line, number, ())
    return SipUri("sip", number, None, account_host(line))


def account_host(line: Line) -> str:
    """Return the account's domain, an IPv6 address without brackets."""
    return line.account_domain.strip("[]")


def _tel(line: Line, number: str, parameters: Params) -> TelUri:
    if not number.startswith("+"):
        # RFC 3966 §5.1.5: "Local numbers MUST have a 'phone-context' parameter"
        context = f"+{line.country}" if line.country else account_host(line)
        parameters = (("phone-context", context), *parameters)
    return TelUri(number, parameters)
