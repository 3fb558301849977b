"""sipp scenarios, put together from steps.

Keys that the command line fills in: ``[user]`` our own number, ``[number]`` the one we dial,
``[contact_port]`` where requests to us go, and field 0 of the injected lines: our RTP port.
"""

from collections.abc import Iterable

_SDP = """\
v=0
o=sipp [pid] 1 IN IP[media_ip_type] [media_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [field0] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=ptime:20
"""

_LEARN = """\
<action>
<ereg regexp="c=IN IP[46] ([0-9a-f.:]+)" search_in="body" check_it="true" assign_to="c,ip"/>
<ereg regexp="m=audio ([0-9]+) RTP/AVP 0" search_in="body" check_it="true" assign_to="m,port"/>
{more}
</action>"""

_TALK = '<log message="talk [field0] [$ip] [$port]"/>'

SDP_LEARN = _LEARN.format(more="")
"""Notes the other side's RTP address."""

SDP_TALK = _LEARN.format(more=_TALK)
"""Notes the other side's RTP address and tells the RTP peer to talk there."""

TALK = f"<action>{_TALK}</action>"
"""Tells the RTP peer to talk to the address noted before."""

_AUTH = "[authentication]"

_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport"


def xml(*steps: str) -> str:
    """Return the whole scenario."""
    body = "\n".join(steps)
    names = [name for name in ("c", "ip", "m", "port") if f'"{name}' in body or f",{name}" in body]
    used = f'<Reference variables="{",".join(names)}"/>' if names else ""
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="interop">'
    return f"{head}\n{body}\n{used}\n</scenario>\n"


def _send(
    lines: Iterable[str], body: str, *, retrans: bool, action: str = "", transaction: str = ""
) -> str:
    text = "\n".join(line for line in lines if line)
    length = "Content-Length: [len]" if body else "Content-Length: 0"
    attribute = ' retrans="500"' if retrans else ""
    attribute += f' start_txn="{transaction}"' if transaction else ""
    return f"<send{attribute}><![CDATA[\n\n{text}\n{length}\n\n{body}\n]]>{action}</send>"


def request(
    method: str,
    *,
    cseq: int,
    uri: str = "sip:[number]@[remote_ip]:[remote_port]",
    to: str = "To: <sip:[number]@[remote_ip]:[remote_port]>",
    via: str = _VIA,
    extra: Iterable[str] = (),
    sdp: bool = False,
    retrans: bool = True,
    transaction: str = "",
) -> str:
    """Return the step that sends a request of the caller; `transaction` is its name for sipp."""
    lines = [
        f"{method} {uri} SIP/2.0",
        via,
        "Max-Forwards: 70",
        "From: <sip:[user]@[remote_ip]:[remote_port]>;tag=[pid]c[call_number]",
        to,
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:[user]@[local_ip]:[contact_port];transport=[transport]>",
        *extra,
        "Content-Type: application/sdp" if sdp else "",
    ]
    body = _SDP if sdp else ""
    return _send(lines, body, retrans=retrans, transaction=transaction)


def in_dialog(
    method: str,
    *,
    cseq: int,
    extra: Iterable[str] = (),
    sdp: bool = False,
    retrans: bool = True,
    transaction: str = "",
) -> str:
    """Return the step that sends a request of the caller in the call."""
    return request(
        method,
        cseq=cseq,
        uri="[next_url]",
        to="[last_To:]\n[routes]",
        extra=extra,
        sdp=sdp,
        retrans=retrans,
        transaction=transaction,
    )


def response(
    status: str,
    *,
    sdp: bool = False,
    extra: Iterable[str] = (),
    retrans: bool = False,
    tagged: bool = False,
) -> str:
    """Return the step that answers the last request of the callee, whose To may have a tag."""
    lines = [
        f"SIP/2.0 {status}",
        "[last_Via:]",
        "[last_From:]",
        "[last_To:]" if tagged else "[last_To:];tag=[pid]s[call_number]",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "[last_Record-Route:]",
        "Contact: <sip:[user]@[local_ip]:[contact_port];transport=[transport]>",
        *extra,
        "Content-Type: application/sdp" if sdp else "",
    ]
    return _send(lines, _SDP if sdp else "", retrans=retrans)


def answer_in_dialog(status: str = "200 OK", *, tag: str = "", extra: Iterable[str] = ()) -> str:
    """Return the step that answers a request inside the dialog, whose To has its tag."""
    lines = [f"SIP/2.0 {status}", "[last_Via:]", "[last_From:]", f"[last_To:]{tag}"]
    return _send([*lines, "[last_Call-ID:]", "[last_CSeq:]", *extra], "", retrans=False)


def expect(
    what: int | str, *, optional: bool = False, action: str = "", within_ms: int = 0, more: str = ""
) -> str:
    """Return the step that waits for a response (a number) or a request (a method)."""
    kind = "response" if isinstance(what, int) else "request"
    extra = ' optional="true"' if optional else ""
    extra += f' timeout="{within_ms}"' if within_ms else ""
    return f'<recv {kind}="{what}"{extra}{more}>{action}</recv>'


def pause() -> str:
    """Return the step that waits for as long as the command line's -d says."""
    return "<pause/>"


def linger(milliseconds: int = 500) -> str:
    """Return the step that keeps a call to answer what the other side sends again."""
    return f'<timewait milliseconds="{milliseconds}"/>'


def ack(*, cseq: int, sdp: bool = False) -> str:
    """Return the ACK for a 200."""
    return in_dialog("ACK", cseq=cseq, sdp=sdp, retrans=False)


def ack_refusal(*, cseq: int) -> str:
    """Return the ACK for a final response above 299 (same branch: RFC 3261 §17.1.1.3)."""
    return request("ACK", cseq=cseq, to="[last_To:]", via="[last_Via:]", retrans=False)


def authorized_invite(*, sdp: bool = True, extra: Iterable[str] = ()) -> list[str]:
    """Return the steps from the first INVITE to the one with credentials."""
    return [
        request("INVITE", cseq=1, sdp=sdp),
        expect(100, optional=True),
        expect(407, more=' auth="true"'),
        ack_refusal(cseq=1),
        request("INVITE", cseq=2, sdp=sdp, extra=[_AUTH, *extra]),
        expect(100, optional=True),
    ]


def answered(*, action: str = "", sdp: bool = False) -> list[str]:
    """Return the 200 for the INVITE with credentials, and its ACK."""
    return [expect(200, action=action, more=' rrs="true"'), ack(cseq=2, sdp=sdp)]


def within(method: str, cseq: int, *, sdp: bool = False) -> list[str]:
    """Return the caller's request in the call, and its 200."""
    return [in_dialog(method, cseq=cseq, sdp=sdp), expect(100, optional=True), expect(200)]


CALLER_NOTED = (
    '<action><ereg regexp=".*" search_in="hdr" header="From:" check_it="true" assign_to="m"/>'
    "</action>"
)
"""Of the step in which the callee gets the ACK: notes whom its own requests go to."""


def of_callee(
    method: str,
    *,
    via: str = _VIA,
    extra: Iterable[str] = (),
    sdp: bool = False,
    retrans: bool = True,
) -> str:
    """Return the step that sends a request of the callee, its first one, after `CALLER_NOTED`."""
    lines = [
        f"{method} [next_url] SIP/2.0",
        via,
        "Max-Forwards: 70",
        "From: <sip:[user]@[remote_ip]:[remote_port]>;tag=[pid]s[call_number]",
        "To:[$m]",
        "Call-ID: [call_id]",
        f"CSeq: 1 {method}",
        "Contact: <sip:[user]@[local_ip]:[contact_port];transport=[transport]>",
        *extra,
        "Content-Type: application/sdp" if sdp else "",
    ]
    return _send(lines, _SDP if sdp else "", retrans=retrans)


def bye_by_caller(*, extra: Iterable[str] = ()) -> list[str]:
    """Return the caller's BYE and its answer.

    sipp would take any 200 for it: also the INVITE's, that a bad network brings once more.
    """
    own = ' response_txn="bye"'
    return [
        in_dialog("BYE", cseq=3, extra=extra, transaction="bye"),
        expect(100, optional=True, more=own),
        expect(200, more=own),
    ]


def hung_up(*, linger_ms: int = 500) -> list[str]:
    """Return the other side's BYE, answered."""
    return [expect("BYE"), answer_in_dialog(), linger(linger_ms)]


def callee_answers(*, action: str = "", extra: Iterable[str] = ()) -> list[str]:
    """Return the steps from the callee's INVITE, whose sound isn't looked at, to the ACK."""
    return [
        *_ring(""),
        response("200 OK", sdp=True, retrans=True, extra=extra),
        expect("ACK", action=action),
    ]


def caller() -> str:
    """Return: call, talk for a while, hang up."""
    return xml(
        *authorized_invite(),
        expect(180, optional=True),
        expect(183, optional=True),
        *answered(action=SDP_TALK),
        pause(),
        *bye_by_caller(),
    )


def caller_of_a_phone(*, late_offer: bool = False) -> str:
    """Return: call a phone itself, which asks for no password, talk for a while, hang up."""
    return xml(
        request("INVITE", cseq=1, sdp=not late_offer),
        expect(100, optional=True),
        expect(180, optional=True),
        expect(200, action=SDP_TALK, more=' rrs="true"'),
        ack(cseq=1, sdp=late_offer),
        pause(),
        *bye_by_caller(),
    )


def caller_waiting_for_bye() -> str:
    """Return: call and talk until the other side hangs up."""
    return xml(
        *authorized_invite(),
        expect(180, optional=True),
        *answered(action=SDP_TALK),
        *hung_up(),
    )


def caller_refused(status: int, *, authenticate: bool = True) -> str:
    """Return: call and get this final status."""
    first = authorized_invite() if authenticate else [request("INVITE", cseq=1, sdp=True)]
    return xml(
        *first,
        *([] if authenticate else [expect(100, optional=True)]),
        expect(180, optional=True),
        expect(183, optional=True),
        expect(status),
        ack_refusal(cseq=2 if authenticate else 1),
        linger(),
    )


def caller_cancelling(*, extra: Iterable[str] = ()) -> str:
    """Return: call, and give up while it rings."""
    return xml(
        *authorized_invite(),
        expect(180),
        pause(),
        # RFC 3261 §9.1: the CANCEL has the Via, CSeq number and To of the request that it ends.
        request("CANCEL", cseq=2, via=_SAME_BRANCH, extra=extra),
        expect(200),
        expect(487),
        ack_refusal(cseq=2),
        linger(),
    )


_SAME_BRANCH = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-4];rport"
"""Four steps of the scenario back: from the CANCEL over the pause, 180, 100 to the INVITE."""


def caller_with_late_offer() -> str:
    """Return: call without SDP; the answer stands in the ACK (RFC 3261 §13.2.1)."""
    return xml(
        *authorized_invite(sdp=False),
        expect(180, optional=True),
        *answered(action=SDP_TALK, sdp=True),
        pause(),
        *bye_by_caller(),
    )


def caller_with_early_media() -> str:
    """Return: call, hear the callee before it answers, talk, hang up."""
    return xml(
        *authorized_invite(),
        expect(180, optional=True),
        expect(183, action=SDP_TALK),
        *answered(),
        pause(),
        *bye_by_caller(),
    )


def _ring(action: str = SDP_LEARN) -> list[str]:
    return [expect("INVITE", action=action, more=' rrs="true"'), response("180 Ringing")]


def _until_bye(*, linger_ms: int) -> list[str]:
    return [expect("ACK", action=TALK), *hung_up(linger_ms=linger_ms)]


def callee(*, linger_ms: int = 500) -> str:
    """Return: ring, answer, talk until the other side hangs up."""
    return xml(
        *_ring(), response("200 OK", sdp=True, retrans=True), *_until_bye(linger_ms=linger_ms)
    )


def callee_over_lossy_path() -> str:
    """Return: as `callee`, but a BYE may come where the ACK was lost.

    It answers what is sent again for as long as RFC 3261's Timer J says.
    """
    return xml(
        *_ring(),
        response("200 OK", sdp=True, retrans=True),
        expect("ACK", optional=True),
        expect("BYE", action='<action><log message="ended [call_number]"/></action>'),
        answer_in_dialog(),
        linger(32000),
    )


def callee_with_early_media() -> str:
    """Return: send sound while it rings, answer after a while, talk."""
    return xml(
        expect("INVITE", action=SDP_TALK, more=' rrs="true"'),
        response("183 Session Progress", sdp=True),
        pause(),
        response("200 OK", sdp=True, retrans=True),
        expect("ACK"),
        *hung_up(),
    )


def callee_of_late_offer() -> str:
    """Return: ring, answer with our own offer, take the answer from the ACK, talk."""
    return xml(*callee_answers(action=SDP_TALK), *hung_up())


def callee_answering_later() -> str:
    """Return: ring for a while, answer, talk until the other side hangs up."""
    return xml(
        *_ring(),
        pause(),
        response("200 OK", sdp=True, retrans=True),
        *_until_bye(linger_ms=500),
    )


def callee_refusing(status: str, *, extra: Iterable[str] = ()) -> str:
    """Return: ring, then refuse with this status line."""
    return xml(*_ring(), response(status, extra=extra, retrans=True), expect("ACK"), linger())


def callee_cancelled() -> str:
    """Return: ring until the exchange cancels."""
    return xml(
        *_ring(""),
        expect("CANCEL"),
        answer_in_dialog(tag=";tag=[pid]s[call_number]"),
        _terminated(),
        expect("ACK"),
        linger(),
    )


def _terminated() -> str:
    """The 487 for the INVITE, after its CANCEL: only the CSeq's method differs (§9.2)."""
    return _send(
        [
            "SIP/2.0 487 Request Terminated",
            "[last_Via:]",
            "[last_From:]",
            "[last_To:];tag=[pid]s[call_number]",
            "[last_Call-ID:]",
            "CSeq: [last_cseq_number] INVITE",
        ],
        "",
        retrans=True,
    )


def _registering() -> list[str]:
    def attempt(cseq: int, *extra: str) -> str:
        return request(
            "REGISTER",
            cseq=cseq,
            uri="sip:[remote_ip]:[remote_port]",
            to="To: <sip:[user]@[remote_ip]:[remote_port]>",
            extra=[*extra, "Expires: [expires]"],
        )

    return [
        attempt(1),
        expect(100, optional=True),
        expect(401, more=' auth="true"'),
        attempt(2, _AUTH),
        expect(100, optional=True),
    ]


def _refused_for_good(challenge: int) -> list[str]:
    """A 403, or another challenge."""
    end = '<label id="1"/>'
    return [expect(403, optional=True, more=' next="1"'), expect(challenge), end]


def registration() -> str:
    """Return: register, and answer the challenge."""
    return xml(*_registering(), expect(200))


def registration_refused() -> str:
    """Return: register, answer the challenge, and get a 403 or another challenge."""
    return xml(*_registering(), *_refused_for_good(401))


def registration_unheard() -> str:
    """Return: register, answer the challenge, and get a 503."""
    return xml(*_registering(), expect(503))


def caller_rejected() -> str:
    """Return: call, answer the challenge, and get a 403 or another challenge."""
    return xml(*authorized_invite(), *_refused_for_good(407), ack_refusal(cseq=2), linger())


def caller_with_a_place() -> str:
    """Return: as `caller`, with the place that it calls from beside the SDP (RFC 6442)."""
    place = '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a@b"/>'
    body = (
        f"--here\nContent-Type: application/pidf+xml\nContent-ID: <a@b>\n\n{place}\n"
        f"--here\nContent-Type: application/sdp\n\n{_SDP}\n--here--"
    )

    def invite(cseq: int, *extra: str) -> str:
        lines = ["Geolocation: <cid:a@b>", *extra, "Content-Type: multipart/mixed;boundary=here"]
        bare = request("INVITE", cseq=cseq, extra=lines)
        return bare.replace("Content-Length: 0\n\n\n", f"Content-Length: [len]\n\n{body}\n")

    return xml(
        invite(1),
        expect(100, optional=True),
        expect(407, more=' auth="true"'),
        ack_refusal(cseq=1),
        invite(2, _AUTH),
        expect(100, optional=True),
        expect(180, optional=True),
        *answered(action=SDP_TALK),
        pause(),
        *bye_by_caller(),
        linger(),
    )


def watcher(*states: str) -> str:
    """Return: watch the calls of the number, and be told what matches, one after the other."""

    def subscribe(cseq: int, *extra: str) -> str:
        lines = ["Event: dialog", "Accept: application/dialog-info+xml", "Expires: 300"]
        return request("SUBSCRIBE", cseq=cseq, extra=[*extra, *lines])

    def told(state: str) -> list[str]:
        check = f'regexp="{state}" search_in="body" check_it="true" assign_to="c"'
        log = f'<log message="told {state}"/>'
        return [
            expect("NOTIFY", action=f"<action><ereg {check}/>{log}</action>"),
            answer_in_dialog(),
        ]

    return xml(
        subscribe(1),
        expect(401, more=' auth="true"'),
        subscribe(2, _AUTH),
        expect(200, more=' rrs="true"'),
        *[step for state in states for step in told(state)],
        linger(),
    )
