"""Message bodies: their parts, the session description in them, and what can't be taken.

RFC 3261 §7.4 and §20.11, RFC 5621 §4 (multipart), RFC 2046 §5.1 (how one is written).
"""

import re
from dataclasses import dataclass, replace

from pbx.errors import PeerError
from pbx.sip.capabilities import SDP_TYPE
from pbx.sip.fields import Message
from pbx.sip.grammar import unquote
from pbx.sip.headers import parse_params
from pbx.sip.uri import find_param

_ENCRYPTED = frozenset(
    {"application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted"}
)

# What a call doesn't need: things to show or to play, and what a header field refers to.
_ASIDE = frozenset({"render", "icon", "alert", "by-reference"})

_MOST_PARTS = 32
_DEEPEST = 4

# boundary := 0*69<bchars> bcharsnospace (RFC 2046 §5.1.1)
_BOUNDARY_RE = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_FOLD_RE = re.compile(rb"\r?\n[ \t]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A body, or a part of one that isn't itself multipart.

    Args:
        kind: the media type, in lower case and without parameters.
        disposition: what it is for (§20.11), in lower case.
        handling: ``required`` or ``optional``; '' where that isn't said.
        encoding: '' where the octets are the content itself.
        octets: the content.
    """

    kind: str
    disposition: str
    handling: str
    encoding: str
    octets: bytes

    @property
    def is_session(self) -> bool:
        """Whether it describes the session, in a way that can be read."""
        return (self.kind, self.disposition, self.encoding) == (SDP_TYPE, "session", "")


def media_type(value: str) -> str:
    """Return what a Content-Type names, in lower case and without its parameters.

    RFC 3261 §25.1: there may be white space on both sides of the slash.
    """
    return "".join(value.partition(";")[0].split()).lower()


def session_description(message: Message) -> bytes:
    """Return the SDP that a message carries; empty where it has none, or another kind of body.

    §20.15: Content-Type must stand where there is a body; where it's missing all the same, it can
    only be SDP.
    """
    try:
        chosen = parts(message)
    except PeerError:
        return b""
    return next((part.octets for part in chosen if part.is_session), b"")


def refused_body(message: Message) -> int:
    """Return why a body with a session description can't be taken: 415, 493, or 0 where it can.

    RFC 5621 §8.4 and RFC 3261 §21.4.13: a part that must be understood and isn't is a 415, and
    §21.4.28: one that is encrypted a 493. §20.11: "If the handling parameter is missing, the value
    "required" SHOULD be assumed." It isn't for parts that people are shown or that a header field
    refers to, beside a session description: most senders of a place (RFC 6442) leave it out.

    Raises:
        PeerError: 400 for a multipart body without its boundary, or one that goes too deep.
    """
    if not message.body:
        return 0
    if message.get("Content-Type") is None:
        # §20.15: "The Content-Type header field MUST be present if the body is not empty."
        return 415
    chosen = parts(message)
    readable = any(part.is_session for part in chosen)
    for part in chosen:
        if part.is_session or part.handling == "optional":
            continue
        if part.kind in _ENCRYPTED:
            return 493
        if not (readable and not part.handling and part.disposition in _ASIDE):
            return 415
    return 0


def parts(message: Message) -> list[Part]:
    """Return what a message's body consists of, parts of parts included; of alternatives one.

    RFC 5621 §4.2: "UAs MUST support the 'multipart/mixed' and 'multipart/alternative' MIME types",
    and "unknown 'multipart' subtypes are treated as 'multipart/mixed'"; of a signed one (RFC 1847
    §2.1) the second part is but the signature, which nobody here can check.

    Raises:
        PeerError: 400 as `refused_body`.
    """
    if not message.body:
        return []
    found = _parts(
        message.get("Content-Type") or SDP_TYPE,
        message.get("Content-Disposition") or "",
        message.get("Content-Encoding") or "",
        message.body,
        0,
    )
    if len(found) > _MOST_PARTS:
        raise PeerError(400, "Too many body parts")
    return found


def _parts(kind: str, disposition: str, encoding: str, octets: bytes, depth: int) -> list[Part]:
    media, params = media_type(kind), kind.partition(";")[2]
    if not media.startswith("multipart/") or media in _ENCRYPTED:
        return [_part(media, disposition, encoding, octets)]
    if depth == _DEEPEST:
        raise PeerError(400, "Body parts too deep")
    pieces = [_piece(piece, depth + 1) for piece in _split(params, octets)]
    if media == "multipart/signed":
        pieces = pieces[:1]
    if media == "multipart/alternative":
        # RFC 2046 §5.1.4: "the best choice is the LAST part of a type supported by the recipient
        # system's local environment"
        best = next(filter(_has_session, reversed(pieces)), pieces[-1])
        # "The receiver SHOULD ignore the handling parameters of the body parts within the
        # 'multipart/alternative'." (RFC 5621 §8.3)
        pieces = [[replace(part, handling="") for part in best] if len(best) == 1 else best]
    if _handling(disposition) == "optional":
        # RFC 5621 §8.2: parts are required "if and only if the receiver decides to process the
        # optional 'multipart/mixed' body"
        pieces = [[replace(part, handling="optional") for part in piece] for piece in pieces]
    return [part for piece in pieces for part in piece]


def _handling(disposition: str) -> str:
    """The handling parameter; '' too where the parameters can't be read."""
    try:
        return _param(disposition.partition(";")[2], "handling").lower()
    except PeerError:
        return ""


def _param(params: str, name: str) -> str:
    """A parameter's value, unquoted; '' where it is missing.

    Raises:
        PeerError: 400 where they can't be read.
    """
    return unquote(find_param(parse_params(f";{params}"), name) or "") if params.strip() else ""


def _has_session(piece: list[Part]) -> bool:
    return any(part.is_session for part in piece)


def _part(media: str, disposition: str, encoding: str, octets: bytes) -> Part:
    # §13.2.1: "If the Content-Disposition header field is missing, bodies of Content-Type
    # application/sdp imply the disposition "session", while other content types imply "render"."
    implied = "session" if media == SDP_TYPE else "render"
    purpose = disposition.partition(";")[0].strip().lower() or implied
    encoding = encoding.strip().lower()
    encoding = "" if encoding in ("identity", "binary", "7bit", "8bit") else encoding
    return Part(media, purpose, _handling(disposition), encoding, octets)


def _split(params: str, octets: bytes) -> list[bytes]:
    """Cut a multipart body at its boundary (RFC 2046 §5.1.1)."""
    boundary = _param(params, "boundary")
    if not _BOUNDARY_RE.fullmatch(boundary):
        raise PeerError(400, "Bad boundary of a multipart body")
    # "The boundary delimiter MUST occur at the beginning of a line", whose line end is the
    # delimiter's; behind it only white space.
    delimiter = b"--" + re.escape(boundary.encode())
    cut = re.split(
        rb"(?:\A|\r?\n)" + delimiter + rb"(--)?[ \t]*(?=\r?\n|\Z)", octets, maxsplit=_MOST_PARTS * 2
    )
    # cut: preamble, then pairs of the closing dashes and what follows them
    pieces = []
    for closing, piece in zip(cut[1::2], cut[2::2], strict=True):
        if closing:
            break
        pieces.append(piece)
    if not pieces:
        raise PeerError(400, "Multipart body without its boundary")
    return pieces


def _piece(piece: bytes, depth: int) -> list[Part]:
    """Read one body part: header fields, an empty line, the content."""
    # What is left of the delimiter's line is its line end.
    piece = piece[2:] if piece.startswith(b"\r\n") else piece[1:]
    if piece.startswith((b"\r\n", b"\n")):
        head, content = b"", piece.partition(b"\n")[2]
    else:
        match = re.search(rb"\r?\n\r?\n", piece)
        head, content = (piece[: match.start()], piece[match.end() :]) if match else (piece, b"")
    fields: dict[str, str] = {}
    for line in _FOLD_RE.sub(b" ", head).split(b"\n"):
        name, _, value = line.decode("utf-8", "surrogateescape").partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    return _parts(
        # RFC 2046 §5.1: without a Content-Type a part is plain text
        fields.get("content-type") or "text/plain",
        fields.get("content-disposition") or "",
        fields.get("content-encoding") or fields.get("content-transfer-encoding") or "",
        content,
        depth,
    )
