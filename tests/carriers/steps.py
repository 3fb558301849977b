"""sipp scenarios of carriers: one program that takes registrations, signs of life and calls.

The scenario branches by the first request of each Call-ID, so one sipp is registrar and proxy at the
same address. Keys beside those of `tests.interop.scenario`: ``[password]``, and ``[fold]``, with
which a line begins that goes on with the header of the line before.
"""

import re
from collections.abc import Iterable

from tests.interop.scenario import (
    ack,
    ack_refusal,
    answer_in_dialog,
    expect,
    in_dialog,
    linger,
    pause,
    request,
    response,
)

PRECONDITIONS = """\
a=curr:qos local none
a=curr:qos remote none
a=des:qos optional local sendrecv
a=des:qos none remote sendrecv
"""
"""RFC 3312: what a caller asks for whose network reserves its resources meanwhile."""

_LINE = "[^[:cntrl:]]*"

# Kamailio writes Record-Route before Via, a proxy without it Via alone
_TOP = f"(Record-Route:{_LINE}[[:cntrl:]]+)*Via:{_LINE}([[:cntrl:]]+Via:{_LINE})*"

KEEP = (
    f'<action><ereg regexp="{_TOP}" search_in="msg" check_it="true" assign_to="m"/>'
    '<ereg regexp=".*" search_in="hdr" header="CSeq:" check_it="true" assign_to="c"/></action>'
)
"""Notes what answers to the INVITE need after another request has come."""

_REGISTER, _OPTIONS, _END = "10", "20", "99"


def carrier(*call: str, registering: Iterable[str] = ()) -> str:
    """Return a scenario.

    Args:
        call: what follows an INVITE, beginning with the step that expects it.
        registering: what follows a REGISTER, which has been received; none: 404.
    """
    registrar = list(registering) or [_answer("404 Not Found")]
    body = [
        expect("REGISTER", optional=True, more=f' next="{_REGISTER}"'),
        expect("OPTIONS", optional=True, more=f' next="{_OPTIONS}"'),
        *(call or [expect("INVITE"), response("404 Not Found"), expect("ACK")]),
        _goto(_END),
        _label(_REGISTER),
        *registrar,
        _goto(_END),
        _label(_OPTIONS),
        _answer("200 OK"),
        _label(_END),
        linger(100),
    ]
    return _whole(body)


def _whole(body: list[str]) -> str:
    text = "\n".join(body)
    names = [name for name in ("c", "m", "ok", "uri", "own", "peer") if f'"{name}"' in text]
    used = f'<Reference variables="{",".join(names)}"/>' if names else ""
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="carrier">'
    return f"{head}\n{text}\n{used}\n</scenario>\n"


def _label(name: str) -> str:
    return f'<label id="{name}"/>'


def _goto(name: str) -> str:
    return f'<nop next="{name}"/>'


def _answer(status: str, *extra: str) -> str:
    """The answer to the last request, with a tag of its own."""
    lines = [
        f"SIP/2.0 {status}",
        "[last_Via:]",
        "[last_From:]",
        "[last_To:];tag=[pid]r[call_number]",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        *extra,
        "Content-Length: 0",
    ]
    return "<send><![CDATA[\n\n" + "\n".join(lines) + "\n\n]]></send>"


def _verify(next_if_right: str, name: str) -> tuple[str, str]:
    check = f'<verifyauth assign_to="ok" username="{name}" password="[password]"/>'
    return f"<action>{check}</action>", f' next="{next_if_right}" test="ok"'


def registrar(*extra: str, realm: str = "carrier", name: str = "[user]") -> list[str]:
    """Return: challenge, check the credentials, and take the registration for 300 seconds.

    Args:
        extra: more lines of the 200.
        realm: of the challenge.
        name: the one that credentials must have; who has others gets 403.
    """
    challenge = f'WWW-Authenticate: Digest realm="{realm}",nonce="[pid]n[call_number]",qop="auth",algorithm=MD5'
    action, when = _verify("11", name)
    return [
        _answer("401 Unauthorized", challenge),
        expect("REGISTER", action=action, more=when),
        _answer("403 Forbidden"),
        _goto(_END),
        _label("11"),
        _answer("200 OK", "[last_Contact:]", "Expires: 300", *extra),
    ]


def refused(status: str, *extra: str) -> list[str]:
    """Return: refuse the registration."""
    return [_answer(status, *extra)]


def silent() -> list[str]:
    """Return: don't answer the registration."""
    return ['<pause milliseconds="600"/>']


def demanding(header: str, regexp: str, status: str) -> list[str]:
    """Return: expect an INVITE with this in a header, and refuse it otherwise.

    Args:
        header: such as ``Supported:``, or ``INVITE`` for the Request-URI.
        regexp: what has to match.
        status: of the refusal.
    """
    where = 'search_in="msg"' if header == "INVITE" else f'search_in="hdr" header="{header}"'
    pattern = f"^INVITE {regexp}" if header == "INVITE" else regexp
    look = f'<ereg regexp="{pattern}" {where} check_it="false" assign_to="ok"/>'
    keep = KEEP.replace("</action>", f"{look}</action>")
    return [
        expect("INVITE", action=keep, more=' rrs="true" next="30" test="ok"'),
        response(status, retrans=True),
        expect("ACK"),
        _goto(_END),
        _label("30"),
    ]


def challenging(realm: str = "carrier", name: str = "[user]") -> list[str]:
    """Return: challenge an INVITE, and go on with the one that has the right credentials.

    sipp can check no others than those that answer a 401.
    """
    challenge = f'WWW-Authenticate: Digest realm="{realm}",nonce="[pid]i[call_number]",qop="auth",algorithm=MD5'
    action, when = _verify("40", name)
    action = action.replace("<action>", KEEP.replace("</action>", ""))
    return [
        expect("INVITE"),
        _answer("401 Unauthorized", challenge),
        expect("ACK"),
        expect("INVITE", action=action, more=f' rrs="true"{when}'),
        response("403 Forbidden", retrans=True),
        expect("ACK"),
        _goto(_END),
        _label("40"),
    ]


def taken() -> list[str]:
    """Return: expect an INVITE, and note it."""
    return [expect("INVITE", action=KEEP, more=' rrs="true"')]


def final(status: str, *extra: str, sdp: bool = False) -> str:
    """Return the step that answers the INVITE for good, whatever has come meanwhile."""
    return _answering_it(response(status, sdp=sdp, retrans=True, extra=extra))


def _answering_it(text: str) -> str:
    """A response to the INVITE, in place of one to what has come last."""
    for old, new in (
        ("[last_Via:]", "[$m]"),
        ("[last_Record-Route:]\n", ""),
        ("[last_To:];tag=[pid]s[call_number]", "[last_To:]"),
        ("[last_CSeq:]", "CSeq:[$c]"),
    ):
        text = text.replace(old, new)
    return text


def connected(*extra: str) -> list[str]:
    """Return: ring, answer.

    Args:
        extra: more lines of the 200.
    """
    return [
        response("180 Ringing"),
        response("200 OK", sdp=True, retrans=True, extra=extra),
        expect("ACK"),
    ]


def answering(*extra: str) -> list[str]:
    """Return: ring, answer, talk until the other side hangs up; `extra` as for `connected`."""
    return [*connected(*extra), expect("BYE"), answer_in_dialog()]


def hung_up_with_proof() -> list[str]:
    """Return: challenge the other side's BYE, and take the one that has the right credentials."""
    challenge = 'WWW-Authenticate: Digest realm="carrier",nonce="[pid]b[call_number]",qop="auth",algorithm=MD5'
    action, when = _verify("70", "[user]")
    return [
        expect("BYE"),
        answer_in_dialog("401 Unauthorized", extra=[challenge]),
        expect("BYE", action=action, more=when),
        answer_in_dialog("403 Forbidden"),
        _goto(_END),
        _label("70"),
        answer_in_dialog(),
    ]


FAR_END = carrier(*taken(), *answering())
"""A carrier whose far end takes each call, sends its sound back, and waits for the BYE."""


def ending(status: str, *extra: str) -> list[str]:
    """Return: refuse the call."""
    return [response(status, retrans=True, extra=extra), expect("ACK")]


def cancelled() -> list[str]:
    """Return: ring until the call is given up."""
    return [
        response("180 Ringing"),
        expect("CANCEL"),
        answer_in_dialog(tag=";tag=[pid]s[call_number]"),
        final("487 Request Terminated").replace("[last_To:]", "[last_To:];tag=[pid]s[call_number]"),
        expect("ACK"),
    ]


REQUIRED = "Require: 100rel"


def reliable(prack: str = "200 OK") -> list[str]:
    """Return: be heard early and want a PRACK, answer that, ring on, answer the call, talk."""
    required = [REQUIRED, "RSeq: 4711"]
    return [
        response("183 Session Progress", sdp=True, extra=required, retrans=True),
        expect("PRACK"),
        answer_in_dialog().replace("200 OK", prack),
        *answered(sdp=True),
    ]


def answered(*, sdp: bool = False) -> list[str]:
    """Return: answer the call, whatever has come meanwhile; talk until the other side hangs up.

    Args:
        sdp: the answer is the first to say where sound is wanted.
    """
    return [final("200 OK", sdp=sdp), expect("ACK"), expect("BYE"), answer_in_dialog()]


def early(rseq: int) -> str:
    """Return the step that is heard early, once, after a PRACK; its PRACK isn't waited for."""
    extra = [REQUIRED, f"RSeq: {rseq}"]
    return _answering_it(response("183 Session Progress", sdp=True, extra=extra))


def told_to_go_on() -> list[str]:
    """Return: wait until `OddCarrier.go_on`."""
    return [expect("MESSAGE"), answer_in_dialog()]


def calling(*extra: str, body: str = "", refused: str = "") -> str:
    """Return the scenario of a call that the carrier's network makes; it knows 100rel and timers.

    Args:
        extra: more lines of the INVITE.
        body: more lines of its SDP.
        refused: the status that it gets; empty where it's to be answered.
    """
    invite = request("INVITE", cseq=1, sdp=True, extra=["Supported: 100rel,timer", *extra])
    invite = invite.replace("a=ptime:20\n", f"a=ptime:20\n{body}")
    wanted = '<action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="false" assign_to="ok"/></action>'
    early = 'rrs="true" next="50" test="ok"'
    rack = "RAck: [$ok] 1 INVITE"

    end = [
        expect(200, more=' rrs="true"'),
        ack(cseq=1),
        pause(),
        in_dialog("BYE", cseq=9),
        expect(200),
    ]
    if refused:
        end = [expect(int(refused)), ack_refusal(cseq=1)]
    return _whole(
        [
            invite,
            expect(100, optional=True),
            expect(180, optional=True, action=wanted, more=f" {early}"),
            expect(183, optional=True, action=wanted, more=f" {early}"),
            *end,
            _goto("60"),
            _label("50"),
            in_dialog("PRACK", cseq=2, extra=[rack]),
            expect(200),
            expect(180, optional=True),
            *end,
            _label("60"),
        ]
    )


def holding(*held: str, for_ms: int = 5000) -> str:
    """Return the scenario of a call of the carrier's network that holds the called party, and resumes.

    Args:
        held: lines of the holding offer's SDP; ``c=`` stands in place of the usual one.
        for_ms: how long it talks, and holds.
    """
    offer = in_dialog("INVITE", cseq=2, sdp=True)
    for line in held:
        if line.startswith("c="):
            offer = re.sub("c=.*", line, offer)
        else:
            offer = offer.replace("a=ptime:20\n", f"a=ptime:20\n{line}\n")
    taken_up = in_dialog("INVITE", cseq=3, sdp=True)
    pause = f'<pause milliseconds="{for_ms}"/>'
    steps = [
        request("INVITE", cseq=1, sdp=True),
        expect(100, optional=True),
        expect(180, optional=True),
        expect(200, more=' rrs="true"'),
        ack(cseq=1),
    ]
    for cseq, change in ((2, offer), (3, taken_up)):
        changed = change.replace("o=sipp [pid] 1", f"o=sipp [pid] {cseq}")
        steps += [pause, changed, expect(100, optional=True), expect(200), ack(cseq=cseq)]
    return _whole([*steps, expect("BYE"), answer_in_dialog()])


def changing() -> list[str]:
    """Return: answer a call, and change its session at once by a re-INVITE; talk."""
    noted = [
        ("uri", "sip:[^>;]*", "Contact:"),
        ("own", ".*", "To:"),
        ("peer", ".*", "From:"),
    ]

    def note(*names: str) -> str:
        found = [
            f'<ereg regexp="{pattern}" search_in="hdr" header="{header}" check_it="true" assign_to="{name}"/>'
            for name, pattern, header in noted
            if name in names
        ]
        return f"<action>{''.join(found)}</action>"

    def of_ours(step: str) -> str:
        step = re.sub("From: .*", "From:[$own]", step)
        return step.replace("To: TO", "To:[$peer]")

    invite = request("INVITE", cseq=1, uri="[$uri]", to="To: TO", sdp=True)
    return [
        expect("INVITE", action=note("uri")),
        response("180 Ringing"),
        response("200 OK", sdp=True, retrans=True),
        expect("ACK", action=note("own", "peer")),
        of_ours(invite).replace("o=sipp [pid] 1", "o=sipp [pid] 2"),
        expect(100, optional=True),
        expect(200),
        of_ours(request("ACK", cseq=1, uri="[$uri]", to="To: TO", retrans=False)),
        expect("BYE"),
        answer_in_dialog(),
    ]
