"""What a test call's messages and counts tell: how it went out, whether it came back, who is heard."""

from pbx.errors import PeerError
from pbx.lines.diagnosis import is_private
from pbx.lines.evidence import Evidence, Seen
from pbx.lines.finding import Finding, Mark, finding
from pbx.media.protocol import Counts, StreamCounts
from pbx.sdp.description import parse_sdp
from pbx.sip.message import Message, Request, Response

REPEATED = 4
"""A final response that comes so often has not been acknowledged, as far as its sender knows."""

_TAIL = 6
"""So many last digits tell a number, however its beginning is written."""

_NO_PRACK = (405, 501)
_BUSY = (486, 600)
_NOBODY = (480, 487, 603)
_NUMBER = (404, 410, 484, 604)
_CODECS = (415, 488, 606)
_EXTENSION = (420, 421)


def outgoing(number: str, evidence: Evidence, call_id: str) -> Finding:
    """Return how our call went out.

    Args:
        number: as the person gave it.
        evidence: what went to and fro since.
        call_id: of our INVITE.
    """
    sent = evidence.sent("INVITE", call_id)
    answers = [response for response, _ in evidence.answers("INVITE", call_id)]
    if not sent:
        return _out(Mark.BAD, "outgoing-unsent", number=number)
    if not answers:
        first = [one for one in sent if one.message.cseq == sent[0].message.cseq]
        return _out(Mark.BAD, "outgoing-silent", server=sent[0].flow, times=len(first))
    pracked = [response for response, _ in evidence.answers("PRACK", call_id)]
    refused = next((one for one in pracked if one.status in _NO_PRACK), None)
    last = answers[-1]
    talks = 200 <= last.status < 300
    if refused is not None:
        mark = Mark.NOTE if talks else Mark.BAD
        return _out(mark, "outgoing-prack", status=refused.status, reason=refused.reason)
    if talks:
        return _answered(number, answers, evidence, call_id)
    if last.status < 200:
        if _rang(answers):
            return _out(Mark.NOTE, "outgoing-rang", number=number)
        return _out(Mark.BAD, "outgoing-trying", server=sent[0].flow)
    return _failed(number, sent[-1], last)


def _rang(answers: list[Response]) -> bool:
    return any(one.status in (180, 183) for one in answers)


def _out(mark: Mark, slug: str, **values: object) -> Finding:
    return finding("outgoing", mark, slug, **values)


def _answered(number: str, answers: list[Response], evidence: Evidence, call_id: str) -> Finding:
    times = sum(200 <= one.status < 300 for one in answers)
    acks = evidence.sent("ACK", call_id)
    if times >= REPEATED and acks:
        return _out(Mark.BAD, "outgoing-ack-lost", server=acks[-1].flow, times=times)
    return _out(Mark.GOOD, "outgoing-answered", number=number)


def _failed(number: str, sent: Seen, last: Response) -> Finding:
    request = sent.message
    assert isinstance(request, Request)
    values = {
        "number": number,
        "status": last.status,
        "reason": last.reason,
        "uri": request.uri,
        "sender": str(request.from_.uri),
    }
    if last.status in _BUSY:
        return _out(Mark.GOOD, "outgoing-busy", **values)
    if last.status in _NOBODY:
        return _out(Mark.NOTE, "outgoing-nobody", **values)
    if last.status in _EXTENSION:
        needs = ", ".join([*last.values("Require"), *last.values("Unsupported")]) or "?"
        return _out(Mark.BAD, "outgoing-extension", needs=needs, **values)
    slugs = [
        ("outgoing-unproven", last.status in (401, 407)),
        ("outgoing-forbidden", last.status == 403),
        ("outgoing-number", last.status in _NUMBER),
        ("outgoing-codecs", last.status in _CODECS),
        ("outgoing-unwell", 500 <= last.status < 600 or last.status == 408),
        ("outgoing-refused", True),
    ]
    return _out(Mark.BAD, next(slug for slug, fits in slugs if fits), **values)


def incoming(number: str, evidence: Evidence, call_id: str, out: Finding) -> Finding:
    """Return whether the call came back in; arguments as for `outgoing`, and what that said."""
    hosts = {one.flow.remote.host for one in evidence.sent("INVITE", call_id)}
    # A carrier that is a proxy leaves us our own Call-ID
    begun = [one for one in evidence.received("INVITE") if one.message.to.tag is None]
    came = [one for one in begun if one.flow.remote.host in hosts or _is_for(number, one)]
    if came:
        return _came(came[-1], evidence)
    if out.slug in ("outgoing-answered", "outgoing-ack-lost"):
        return _in(Mark.NOTE, "incoming-elsewhere", number=number)
    if out.slug in ("outgoing-rang", "outgoing-nobody"):
        if _rang([response for response, _ in evidence.answers("INVITE", call_id)]):
            return _in(Mark.BAD, "incoming-none", number=number)
        return _in(Mark.NOTE, "incoming-unrung", number=number)
    return _in(Mark.SKIPPED, "incoming-unreached")


def _in(mark: Mark, slug: str, **values: object) -> Finding:
    return finding("incoming", mark, slug, **values)


def _is_for(number: str, seen: Seen) -> bool:
    """Whether an INVITE's called number ends as ours does."""
    request = seen.message
    assert isinstance(request, Request)
    tail = "".join(filter(str.isdigit, number))[-_TAIL:]
    called = "".join(filter(str.isdigit, f"{request.uri.partition('@')[0]} {request.to.uri}"))
    return bool(tail) and tail in called


def _came(seen: Seen, evidence: Evidence) -> Finding:
    call_id, server = seen.message.call_id, seen.flow
    ours = [response for response, _ in evidence.our_answers("INVITE", call_id)]
    last = ours[-1] if ours else None
    if last is None or last.status < 200:
        return _in(Mark.NOTE, "incoming-rings", server=server)
    if last.status in (401, 407):
        return _in(Mark.BAD, "incoming-stranger", server=server, host=server.remote.host)
    if last.status >= 300:
        values = {"status": last.status, "reason": last.reason}
        return _in(Mark.BAD, "incoming-refused", server=server, **values)
    if len(ours) >= REPEATED and not evidence.received("ACK", call_id):
        contact = last.get("Contact") or ""
        return _in(Mark.BAD, "incoming-ack-lost", server=server, contact=contact.strip("<>"))
    request = seen.message
    assert isinstance(request, Request)
    return _in(Mark.GOOD, "incoming-good", server=server, uri=request.uri, caller=request.from_.uri)


def sound(
    counts: Counts | None, ports: tuple[int, int], evidence: Evidence, call_id: str
) -> Finding:
    """Return who is heard in the test call.

    Args:
        counts: the media engine's; None where it doesn't tell.
        ports: of our call's sound, and of the call that came back; 0 for none.
        evidence: what went to and fro.
        call_id: of our INVITE.
    """
    if counts is None:
        return finding("sound", Mark.SKIPPED, "sound-uncounted")
    streams = {one.port: one for one in counts.streams}
    out, back = streams.get(ports[0]), streams.get(ports[1])
    if out is None:
        return finding("sound", Mark.SKIPPED, "sound-uncounted")
    values = {"received": str(out.received), "sent": str(out.sent)}
    if out.received and (back is None or back.received):
        slug = "sound-heard" if back is None else "sound-both"
        return finding("sound", Mark.GOOD, slug, **values)
    if out.received:
        return finding("sound", Mark.BAD, "sound-unheard", **values, **_places(evidence, call_id))
    return _silence(out, back, _places(evidence, call_id), values)


def _silence(
    out: StreamCounts, back: StreamCounts | None, places: dict[str, str], values: dict[str, str]
) -> Finding:
    own, peer = places["own"], places["peer"]
    if out.refused:
        slug = "sound-elsewhere"
    elif is_private(peer) and not is_private(places["host"]):
        slug = "sound-peer-private"
    elif is_private(own) and not is_private(places["host"]):
        slug = "sound-own-private"
    elif back is not None and back.received:
        slug = "sound-one-way"
    else:
        slug = "sound-none"
    refused = str(out.refused)
    return finding("sound", Mark.BAD, slug, refused=refused, **values, **places)


def _places(evidence: Evidence, call_id: str) -> dict[str, str]:
    """Where sound is to go: ``own`` and ``peer`` by the descriptions; ``host`` is who signals."""
    sent = evidence.sent("INVITE", call_id)
    answers = evidence.answers("INVITE", call_id)
    described = [(response, flow) for response, flow in answers if _media_host(response)]
    return {
        "own": _media_host(sent[-1].message) if sent else "",
        "peer": _media_host(described[-1][0]) if described else "",
        "host": described[-1][1].remote.host if described else "",
    }


def _media_host(message: Message) -> str:
    """The address that a message's description names for the sound; empty for none."""
    try:
        session = parse_sdp(message.body) if message.body else None
    except PeerError:
        return ""
    if session is None or not session.media:
        return ""
    connection = session.connection(session.media[0])
    return connection.address if connection is not None else ""
