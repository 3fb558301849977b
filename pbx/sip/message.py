"""Requests and responses: read lazily, checked, written (RFC 3261 §7, §8.1.1, §18.3, §20)."""

import re
from collections.abc import Iterable

from pbx.errors import PeerError
from pbx.sip.fields import Header
from pbx.sip.fields import Message as Message
from pbx.sip.grammar import MAX_HEADERS, MAX_MESSAGE_BYTES, TOKEN, is_token, parse_digits
from pbx.sip.header_name import CANONICAL, canonical_name
from pbx.sip.headers import parse_name_addr
from pbx.sip.plain import PLAIN_ADDRESS_RE, PLAIN_URI_RE, PLAIN_VIA_RE
from pbx.sip.status import REASONS as REASONS
from pbx.sip.uri import SipUri, Uri, parse_uri

# Header fields that every request and response carries once (§8.1.1, §8.2.6.2); Via too, but
# that one as often as there were hops.
_MANDATORY = ("From", "To", "Call-ID", "CSeq")

# No list, so once at the most (§7.3.1): what a repeated one means is anybody's guess, and two
# elements that guess differently disagree on what the message says (RFC 4475 §3.3.8, §3.3.9).
_ONCE = frozenset(
    (
        "Call-ID",
        "Content-Disposition",
        "Content-Length",
        "Content-Type",
        "CSeq",
        "Event",
        "Expires",
        "From",
        "Max-Forwards",
        "Min-Expires",
        "Min-SE",
        "RAck",
        "Refer-To",
        "Referred-By",
        "Replaces",
        "RSeq",
        "Session-Expires",
        "Subscription-State",
        "To",
    )
)


class Request(Message):
    """A request (RFC 3261 §7.1).

    Args:
        method: as it came; methods are case-sensitive.
        uri: the Request-URI's text.
        headers: see `Message`.
        body: see `Message`.
    """

    __slots__ = ("_request_uri", "method", "uri")

    def __init__(
        self, method: str, uri: str, headers: Iterable[Header] = (), body: bytes = b""
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri
        self._request_uri: tuple[str, Uri] | None = None

    def start_line(self) -> str:
        """The Request-Line, without its line end."""
        return f"{self.method} {self.uri} SIP/2.0"

    @property
    def request_uri(self) -> Uri:
        """The Request-URI, read (§8.1.1.1)."""
        if self._request_uri is None or self._request_uri[0] != self.uri:
            self._request_uri = (self.uri, parse_uri(self.uri))
        return self._request_uri[1]


class Response(Message):
    """A response (RFC 3261 §7.2).

    Args:
        status: 100 to 699.
        reason: the reason phrase, may be empty.
        headers: see `Message`.
        body: see `Message`.
    """

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: str, headers: Iterable[Header] = (), body: bytes = b""
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    def start_line(self) -> str:
        """The Status-Line, without its line end."""
        return f"SIP/2.0 {self.status} {self.reason}"


class MalformedRequest(PeerError):
    """A request that breaks a rule, yet shows enough to be answered (RFC 3261 §8.2).

    Args:
        status: the status to answer with.
        reason: the reason phrase.
        request: what could be read; only that it has a Via is sure. An ACK is never answered.
    """

    def __init__(self, status: int, reason: str, request: Request) -> None:
        super().__init__(status, reason)
        self.request = request


# Request-Line = Method SP Request-URI SP SIP-Version CRLF
_REQUEST_LINE_RE = re.compile(rf"({TOKEN}) ([^\x00-\x20\x7f]++) (SIP/[0-9]++\.[0-9]++)", re.I)
# Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF
# Wider: the second SP may be missing together with the phrase.
_STATUS_LINE_RE = re.compile(r"(SIP/[0-9]++\.[0-9]++) ([1-6][0-9]{2})(?: (.*+))?", re.I)
# LWS = [*WSP CRLF] 1*WSP
_FOLD_RE = re.compile(r"(?:\r\n[ \t]++)++")
# message-header = field-name HCOLON field-value, as nearly all of them are written
_FIELD_RE = re.compile(r"\n([A-Za-z0-9\-]++):[ \t]*+(.*+)(?<![ \t])")


def parse_message(data: bytes, *, stream: bool = False) -> Request | Response:
    """Read and check one message: a datagram, or what a `StreamFramer` has cut out.

    Args:
        data: the octets; empty lines before the start line are skipped (§7.5).
        stream: a stream brought it, so Content-Length must be there and right (§18.3, §20.14).

    Raises:
        PeerError: the answer to give; `MalformedRequest` where one can be given. A response with
            a fault, and a request that isn't `MalformedRequest`, is to be dropped.
    """
    message, fault = split_message(data, stream=stream)
    try:
        if fault is not None:
            raise fault
        if isinstance(message, Request):
            validate(message)
        else:
            _validate_common(message)
    except PeerError as error:
        if isinstance(message, Request) and _answerable(message):
            raise MalformedRequest(error.status, error.reason, message) from None
        raise
    return message


def split_message(
    data: bytes, *, stream: bool = False
) -> tuple[Request | Response, PeerError | None]:
    """Split one message into start line, header fields and body; no value is looked at.

    Returns:
        The message, and what is wrong with it so far; then it is as much as could be split.

    Raises:
        PeerError: nothing could be, there is no start line.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise PeerError(513, "Message Too Large")
    head, separator, rest = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    text = head.decode("utf-8", "surrogateescape")
    start, headers, fault = _split_plain(text) or _split(text)
    if not separator:
        fault = PeerError(400, "No empty line after the header")
    message: Request | Response
    if start[:4].upper() == "SIP/":
        message = _response_of(start)
    else:
        message, bad_start = _request_of(start)
        fault = bad_start or fault
    message.headers = headers
    if fault is None:
        try:
            message.body = _cut_body(message, rest, stream)
        except PeerError as error:
            fault = error
    return message, fault


_Split = tuple[str, list[Header], PeerError | None]
"""The start line, the header fields, and what is wrong with their lines."""


def _split_plain(text: str) -> _Split | None:
    """Split a head all of whose lines are in order; None for any other."""
    lines = text.replace("\r\n", "\n")
    start = lines.partition("\n")[0]
    fields = _FIELD_RE.findall(lines, len(start))
    # Each field has a line of its own, else there is a fold, a bare CR or LF, or no field at all.
    if not len(text) - len(lines) == len(fields) == lines.count("\n") or "\r" in lines:
        return None
    if len(fields) > MAX_HEADERS:
        return None
    try:
        return start, [(CANONICAL[name], value) for name, value in fields], None
    except KeyError:
        return start, [(canonical_name(name), value) for name, value in fields], None


def _split(text: str) -> _Split:
    """Split any head; what is no header field is left out."""
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD_RE.sub(" ", text)
    first, *lines = text.split("\r\n")
    headers, fault = _read_headers(lines)
    if not text.count("\n") == text.count("\r") == len(lines):
        # The answer repeats header fields, and must not carry the line break on.
        headers = [pair for pair in headers if "\n" not in pair[1] and "\r" not in pair[1]]
        fault = PeerError(400, "Bare CR or LF in header")
    return first, headers, fault


def _read_headers(lines: list[str]) -> tuple[list[Header], PeerError | None]:
    """Split header lines at the colon; what isn't one is left out and named as a fault."""
    headers = []
    fault = None
    if len(lines) > MAX_HEADERS:
        lines = lines[:MAX_HEADERS]
        fault = PeerError(513, "Too many header fields")
    for line in lines:
        # message-header = field-name HCOLON field-value; HCOLON = *( SP / HTAB ) ":" SWS
        name, colon, value = line.partition(":")
        known = CANONICAL.get(name)
        if known is None or not colon:
            known = canonical_name(name.rstrip(" \t"))
            if not colon or not is_token(known):
                fault = fault or PeerError(400, "Bad header field")
                continue
        headers.append((known, value.strip(" \t")))
    return headers, fault


def _response_of(line: str) -> Response:
    match = _STATUS_LINE_RE.fullmatch(line)
    if match is None:
        raise PeerError(400, "Bad status line")
    if match[1].upper() != "SIP/2.0":
        raise PeerError(505, REASONS[505])
    return Response(int(match[2]), match[3] or "")


def _request_of(line: str) -> tuple[Request, PeerError | None]:
    match = _REQUEST_LINE_RE.fullmatch(line)
    if match is None:
        # The method is enough to answer it, or to know an ACK, which nobody answers.
        method, _, uri = line.partition(" ")
        fault = PeerError(400, "Bad request line")
        if not is_token(method):
            raise fault
        return Request(method, uri), fault
    method, uri, version = match.groups()
    if version.upper() != "SIP/2.0":
        # §21.5.6: the version comes first, since all other rules are those of SIP/2.0
        return Request(method, uri), PeerError(505, REASONS[505])
    return Request(method, uri), None


def _answerable(request: Request) -> bool:
    """Whether the sender can know a response for its own: by the Via that it wrote (§17.1.3).

    Nothing else is needed. RFC 4475 §3.1.2.1, §3.3.1: a broken Via and missing From, To and Call-ID
    are worth a 400, which goes to where the request came from.
    """
    return (request.get("Via") or "")[:4].upper() == "SIP/"


def _cut_body(message: Message, rest: bytes, stream: bool) -> bytes:
    """The body by Content-Length (RFC 3261 §18.3)."""
    value = message.get("Content-Length")
    if value is None:
        # "The Content-Length header field MUST be used with stream oriented transports."
        if stream:
            raise PeerError(400, "Missing Content-Length")
        # "If the message has no Content-Length header field, the message body is assumed to end
        # at the end of the transport packet."
        return rest
    length = parse_digits(value, MAX_MESSAGE_BYTES)
    if length is None:
        raise PeerError(400, "Bad Content-Length")
    # "If the transport packet ends before the end of the message body, this is considered an
    # error. If the message is a response, it MUST be discarded. If the message is a request, the
    # element SHOULD generate a 400 (Bad Request) response."
    if stream and length != len(rest):
        if length > MAX_MESSAGE_BYTES:
            raise PeerError(513, REASONS[513])
        raise PeerError(400, "Content-Length isn't the body's")
    if length > len(rest):
        raise PeerError(400, "Content-Length beyond the message")
    # "If there are additional bytes in the transport packet beyond the end of the body, they
    # MUST be discarded."
    return rest if length == len(rest) else rest[:length]


def _refuse_repeated(headers: list[Header]) -> None:
    seen = set()
    for name, _ in headers:
        if name in seen and name in _ONCE:
            raise PeerError(400, f"Repeated {name}")
        seen.add(name)


def _validate_common(message: Message) -> None:
    """Check what every message must have; a value in its plain form isn't read for that."""
    first = message.first
    unique = len(first) == len(message.headers)
    if not unique:
        _refuse_repeated(message.headers)
    # "A valid SIP request formulated by a UAC MUST, at a minimum, contain the following header
    # fields: To, From, CSeq, Call-ID, Max-Forwards, and Via" (§8.1.1); what reads a typed property
    # checks it. Max-Forwards may be missing: RFC 2543 doesn't know it (§16.3 step 3).
    if PLAIN_VIA_RE.fullmatch(first.get("Via", "")) is None:
        message.via  # noqa: B018
    if PLAIN_ADDRESS_RE.fullmatch(first.get("From", "")) is None:
        message.from_  # noqa: B018
    if PLAIN_ADDRESS_RE.fullmatch(first.get("To", "")) is None:
        message.to  # noqa: B018
    message.call_id  # noqa: B018
    message.cseq  # noqa: B018
    if first.get("Max-Forwards", "70") != "70":
        message.max_forwards  # noqa: B018
    for name in ("Contact", "Route", "Record-Route"):
        value = first.get(name)
        if value is not None and not (unique and PLAIN_ADDRESS_RE.fullmatch(value)):
            _read_addresses(message, name)


def _read_addresses(message: Message, name: str) -> None:
    if name == "Contact":
        # One that can't be read is to cost no registration: see `pbx.sip.register.listed`
        if not (isinstance(message, Response) and message.cseq.method == "REGISTER"):
            message.contacts  # noqa: B018
        return
    for value in message.all(name):
        parse_name_addr(value)


def validate(request: Request) -> None:
    """Check what RFC 3261 §8.1.1 and §20 demand of every request.

    Raises:
        PeerError: 400 on the first rule that is broken.
    """
    _validate_common(request)
    # "The method MUST match that of the request." (§8.1.1.5)
    if request.cseq.method != request.method:
        raise PeerError(400, "CSeq method isn't the request's")
    if PLAIN_URI_RE.fullmatch(request.uri) is not None:
        return
    uri = request.request_uri
    # §19.1.1 table: header components are not allowed in a Request-URI
    if isinstance(uri, SipUri) and uri.headers:
        raise PeerError(400, "Header component in Request-URI")


def response_to(
    request: Request, status: int, reason: str | None = None, *, to_tag: str | None
) -> Response:
    """A response to the request (RFC 3261 §8.2.6).

    Args:
        request: what is answered, a malformed one too.
        status: the status code.
        reason: the reason phrase; None for the usual one.
        to_tag: our tag, put in where To has none (§8.2.6.2); None for a 100.
    """
    # "The From field of the response MUST equal the From header field of the request. The Call-ID
    # [...] The CSeq [...] The Via header field values in the response MUST equal the Via header
    # field values in the request and MUST maintain the same ordering."
    headers = [pair for pair in request.headers if pair[0] == "Via"]
    for name in _MANDATORY:
        value = request.get(name)
        if value is None:
            continue
        if name == "To" and to_tag is not None:
            value = _tagged(request, value, to_tag)
        headers.append((name, value))
    if status == 100:
        # "When a 100 (Trying) response is generated, any Timestamp header field present in the
        # request MUST be copied into this 100 (Trying) response." (§8.2.6.1)
        headers += [pair for pair in request.headers if pair[0] == "Timestamp"]
    return Response(status, REASONS.get(status, "") if reason is None else reason, headers)


def _tagged(request: Request, text: str, tag: str) -> str:
    """The To value with the tag, unless it has one, or is too broken to tell."""
    try:
        return text if request.to.tag else f"{text};tag={tag}"
    except PeerError:
        return text
