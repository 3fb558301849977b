"""How each way for a call to end comes about: calls between programs of others.

`WAYS` has a function for each row of `pbx.cdr.endings.ENDINGS`, by its name. It makes the call and
returns its record and what the parties were told.
"""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pbx.cdr.endings import ENDINGS, Ending
from pbx.cdr.fci import parse_fci
from tests.carriers import steps
from tests.interop import scenario
from tests.interop.exchange import Record
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports
from tests.interop.scenario import CALLER_NOTED, expect, in_dialog, of_callee, response, xml
from tests.interop.sipp import Sipp
from tests.interop.tones import write_tones
from tests.interop.waiting import until
from tests.posts.application_server import ApplicationServer
from tests.posts.ordinary import gone
from tests.posts.outside import (
    BUSY,
    CLOSED,
    DEAD,
    FORBIDDEN,
    INCOMPLETE,
    OPEN,
    PREFIX,
    REFUSING,
    RINGING,
    SHORT,
    SILENT,
)
from tests.posts.stage import (
    ANSWERS,
    CALLEE,
    CALLER,
    HUNG_UP,
    NEVER_CALLED,
    NEVER_CALLS,
    OTHER_CALLEE,
    PASSWORD,
    PHONELESS,
    RINGS_UNTIL_CANCELLED,
    SIPS_CALLEE,
    SIPS_CALLER,
    SIPS_LONELY,
    TALKER,
    TALKS,
    THIRD,
    Played,
    Stage,
    dials,
    final,
    refused,
    told,
)


def reasons_of(ending: Ending) -> list[str]:
    """Return the header lines of what the party says."""
    return [f"Reason: {value}" for value in ending.reasons]


# ---------------------------------------------------------------- the parties

TONE_HZ, TALK_S = 440.0, 1.5
"""What PJSIP's phones say, and how much of it must come back."""

ANSWERED = scenario.callee_answers(action=CALLER_NOTED)
"""A called party that is going to say something itself."""

Way = Callable[[Stage, Ending], Played]


def ended_by_exchange(stage: Stage, caller: Sipp, callee: Sipp | None = None) -> Played:
    """Return what has become of an answered call that neither party has ended."""
    parties = [caller] if callee is None else [caller, callee]
    for each in parties:
        each.finish()
    assert final(caller)[0] == 0
    return Played(stage.record(caller), 0, told(*parties))


def not_answered(stage: Stage, caller: Sipp, *ringing: Sipp) -> Played:
    """Return what has become of a call that the caller got a failure response for."""
    caller.finish()
    for each in ringing:
        each.finish()
    status, reasons = final(caller)
    return Played(stage.record(caller), status, [*reasons, *told(*ringing)])


def callee_refuses(stage: Stage, ending: Ending) -> Played:
    phone = stage.callee(scenario.callee_refusing(ending.said, extra=reasons_of(ending)))
    caller = stage.caller(refused(ending.status))
    caller.finish()
    phone.close()
    status, reasons = final(caller)
    return Played(stage.record(caller), status, reasons)


def caller_cancels(stage: Stage, ending: Ending) -> Played:
    phone = stage.callee(RINGS_UNTIL_CANCELLED)
    caller = stage.caller(scenario.caller_cancelling(extra=reasons_of(ending)), talk_ms=50)
    caller.finish()
    phone.finish()
    return Played(stage.record(caller), final(caller)[0], told(phone))


def caller_hangs_up(stage: Stage, ending: Ending) -> Played:
    phone = stage.callee(ANSWERS)
    hangs_up = scenario.bye_by_caller(extra=reasons_of(ending))
    caller = stage.caller(dials(*scenario.answered(), *hangs_up))
    caller.finish()
    phone.finish()
    return Played(stage.record(caller), 0, told(phone))


def bye(stage: Stage, ending: Ending) -> Played:
    """One of the parties hangs up."""
    by_caller = ending.cause.tag.released_by == "caller"
    return (caller_hangs_up if by_caller else callee_hangs_up)(stage, ending)


def callee_hangs_up(stage: Stage, ending: Ending) -> Played:
    hangs_up = [of_callee("BYE", extra=reasons_of(ending)), expect(200)]
    phone = stage.callee(xml(*ANSWERED, *hangs_up))
    caller = stage.caller(TALKS)
    caller.finish()
    phone.finish()
    return Played(stage.record(caller), 0, told(caller))


WITHDRAWN = [expect(100, optional=True), expect(487)]
"""What becomes of a change when the call ends meanwhile."""


def caller_has_forgotten(stage: Stage, ending: Ending) -> Played:
    """The called party changes the session, and the caller answers 481."""
    change = of_callee("INVITE", sdp=True).replace("o=sipp [pid] 1", "o=sipp [pid] 2")
    ack = of_callee("ACK", via="[last_Via:]", retrans=False)
    phone = stage.callee(xml(*ANSWERED, change, *WITHDRAWN, ack, *HUNG_UP))
    gone = [expect("INVITE"), response("481 Gone", tagged=True, retrans=True), expect("ACK")]
    caller = stage.caller(dials(*scenario.answered(), *gone, *HUNG_UP))
    return ended_by_exchange(stage, caller, phone)


def callee_has_forgotten(stage: Stage, ending: Ending) -> Played:
    """The caller changes the session, and the called party answers 481."""
    change = in_dialog("INVITE", cseq=3, sdp=True).replace("o=sipp [pid] 1", "o=sipp [pid] 2")
    gone = [expect("INVITE"), response("481 Gone", tagged=True, retrans=True), expect("ACK")]
    phone = stage.callee(xml(*scenario.callee_answers(), *gone, *HUNG_UP))
    withdrawn = [*WITHDRAWN, scenario.ack_refusal(cseq=3)]
    caller = stage.caller(dials(*scenario.answered(), change, *withdrawn, *HUNG_UP))
    return ended_by_exchange(stage, caller, phone)


NOTIFIED = [expect("NOTIFY"), scenario.answer_in_dialog()]
REFERS = f"Refer-To: <sip:{THIRD}@[remote_ip]:[remote_port]>"
REINVITED = [
    expect("INVITE"),
    response("200 OK", sdp=True, retrans=True, tagged=True).replace("[pid] 1", "[pid] 2"),
    expect("ACK"),
]


def caller_transfers(stage: Stage, ending: Ending) -> Played:
    third = stage.callee(LATER, THIRD)
    phone = stage.callee(xml(*scenario.callee_answers(), *REINVITED, *HUNG_UP))
    refer = [in_dialog("REFER", cseq=3, extra=[REFERS]), expect(202)]
    caller = stage.caller(dials(*scenario.answered(), *refer, *NOTIFIED, *NOTIFIED, *HUNG_UP))
    return _transferred(stage, caller, caller, phone, third)


def callee_transfers(stage: Stage, ending: Ending) -> Played:
    third = stage.callee(LATER, THIRD)
    refer = [of_callee("REFER", extra=[REFERS]), expect(202)]
    phone = stage.callee(xml(*ANSWERED, *refer, *NOTIFIED, *NOTIFIED, *HUNG_UP))
    caller = stage.caller(dials(*scenario.answered(), *REINVITED, *HUNG_UP))
    return _transferred(stage, caller, phone, caller, third)


LATER = xml(
    expect("INVITE", more=' rrs="true"'),
    # Not at once: sipp takes no NOTIFY while it answers another
    scenario.pause(),
    response("200 OK", sdp=True, retrans=True),
    expect("ACK"),
    *HUNG_UP,
)


def _transferred(stage: Stage, caller: Sipp, leaving: Sipp, kept: Sipp, third: Sipp) -> Played:
    """The record is of the call that ends by it; the one that it makes is hung up."""
    leaving.finish()
    made = until(
        "the parties talk that the transfer has joined",
        lambda: [one.id for one in stage.exchange.running_calls() if one.called == THIRD],
        why_not=stage.exchange.why,
    )
    stage.exchange.call("hangup", call=made[0])
    kept.finish()
    third.finish()
    return Played(stage.record(caller), 0, told(leaving))


def leads_nowhere(number: str, by: str = CALLER) -> Way:
    """Calls to this number are refused at once."""

    def play(stage: Stage, ending: Ending) -> Played:
        return not_answered(stage, stage.caller(refused(ending.status), number, by=by))

    return play


def odd_invite(old: str = "", new: str = "", *, extra: Sequence[str] = ()) -> Way:
    """The INVITE has `new` in the place of `old`, and `extra` headers, and is refused."""

    def play(stage: Stage, ending: Ending) -> Played:
        stage.account(CALLEE)
        text = refused(ending.status, extra=extra)
        text = text.replace(old, new) if old else text
        return not_answered(stage, stage.caller(text))

    return play


def answer_of_no_use(stage: Stage, ending: Ending) -> Played:
    """The called party's 200 has no answer to the offer."""
    answer = response("200 OK", retrans=True)
    phone = stage.callee(xml(expect("INVITE", more=' rrs="true"'), answer, expect("ACK"), *HUNG_UP))
    return not_answered(stage, stage.caller(refused(ending.status)), phone)


def in_a_room(*dialled: str) -> Way:
    """Each dials a conference room; the last one is refused."""

    def play(stage: Stage, ending: Ending) -> Played:
        *inside, last = dialled
        for by, number in zip((CALLEE, THIRD), inside, strict=False):
            stage.caller(TALKS, number, by=by)
            stage.wait_state("talking", by)
        played = not_answered(stage, stage.caller(refused(ending.status), last))
        for by, _ in zip((CALLEE, THIRD), inside, strict=False):
            stage.hang_up("talking", by)
        return played

    return play


def nobody_by_sips(stage: Stage, ending: Ending) -> Played:
    """Who calls by sips reaches no phone that has registered by sip."""
    stage.account(CALLEE)
    phone = sips_phone(stage, SIPS_LONELY)
    phone.dial(CALLEE)
    status = phone.wait("state", "DISCONNECTED")["status"]
    return Played(stage.record_of(SIPS_LONELY), status, reasons_heard(phone))


def reasons_heard(phone: PjsuaTalker) -> list[str]:
    """Return the Reason headers that a phone of PJSIP has got; it ends."""
    # It writes down what it has heard when it ends
    assert phone.program.process.stdin is not None
    phone.program.process.stdin.close()
    phone.program.wait(15)
    return re.findall(r"^Reason: (.*)$", phone.log(), re.MULTILINE)


def by_sips_only(stage: Stage, ending: Ending) -> Played:
    """A phone wants to take over by sip a call of its user's that goes on by sips."""
    sips_phone(stage, SIPS_CALLEE)
    sips_phone(stage, SIPS_CALLER).dial(SIPS_CALLEE)
    call = stage.wait_state("talking", SIPS_CALLER)
    replaces = f"Replaces: {call};to-tag=calling;from-tag=ringing"
    text = refused(ending.status, extra=[replaces])
    played = not_answered(stage, stage.caller(text, SIPS_CALLEE, by=SIPS_CALLER))
    stage.hang_up("talking", SIPS_CALLER)
    return played


def sips_phone(stage: Stage, number: str) -> PjsuaTalker:
    """Start a phone that registers by sips: sipp has no TLS."""
    return pjsip_phone(stage, number, stage.exchange.secure_host, stage.exchange.certificate)


def pjsip_phone(
    stage: Stage, number: str, server: str, certificate: Path | None = None
) -> PjsuaTalker:
    """Start a phone of PJSIP, which registers by sips where it trusts a certificate."""
    phone = PjsuaTalker(
        stage.folder / f"pjsua-{number}",
        stage.closing.enter_context(Ports()),
        number=number,
        password=PASSWORD,
        server=server,
        tone_hz=TONE_HZ,
        scheme="sips" if certificate else "sip",
        trusts=certificate,
    )
    stage.closing.callback(phone.close)
    return phone


def session_timer(stage: Stage, ending: Ending) -> Played:
    """The called phone promises to refresh the session, and doesn't."""
    promise = ["Require: timer", "Session-Expires: 3;refresher=uas"]
    phone = stage.callee(xml(*scenario.callee_answers(extra=promise), *HUNG_UP))
    return ended_by_exchange(stage, stage.caller(TALKS), phone)


def silent_media(stage: Stage, ending: Ending) -> Played:
    phone = stage.callee(ANSWERS)
    return ended_by_exchange(stage, stage.caller(TALKS), phone)


def hung_up_by_administrator(stage: Stage, ending: Ending) -> Played:
    phone = stage.callee(ANSWERS)
    caller = stage.caller(TALKS)
    stage.hang_up("talking")
    return ended_by_exchange(stage, caller, phone)


def hung_up_while_ringing(stage: Stage, ending: Ending) -> Played:
    phone = stage.callee(RINGS_UNTIL_CANCELLED)
    caller = stage.caller(refused(ending.status))
    stage.hang_up("ringing")
    return not_answered(stage, caller, phone)


def closed_port(stage: Stage, ending: Ending) -> Played:
    """The phone's program has ended: the kernel says that nobody is there."""
    stage.account(CALLEE)
    return not_answered(stage, stage.caller(refused(ending.status)))


# ---------------------------------------------------------------- lines


def longest_duration(stage: Stage, ending: Ending) -> Played:
    """The dial plan gives calls to this number a second."""
    return ended_by_exchange(stage, stage.caller(TALKS, f"{SHORT}000"))


def line_closed(stage: Stage, ending: Ending) -> Played:
    """A line's program has ended since it was last asked."""
    stage.outside.die(CLOSED, silent=False)
    return leads_nowhere(f"{PREFIX[CLOSED]}000")(stage, ending)


def nobody_answers(stage: Stage, ending: Ending) -> Played:
    """By a line on which nobody has to be waited for long."""
    carrier = stage.outside.carriers[RINGING]
    before = len(carrier.all("CANCEL"))
    with changed(stage, RINGING, no_answer_s=1.0):
        played = leads_nowhere(f"{PREFIX[RINGING]}000")(stage, ending)
    cancel = carrier.got("CANCEL", before + 1).message
    played.told.extend(cancel.all("reason"))
    return played


def lines_full(stage: Stage, ending: Ending) -> Played:
    """The only line that the number could go by has a call, and may have one."""
    with changed(stage, OPEN, most_outgoing=1), other_call(stage):
        return leads_nowhere(f"{PREFIX[OPEN]}000")(stage, ending)


def line_full_inwards(stage: Stage, ending: Ending) -> Played:
    with changed(stage, OPEN, most=1), other_call(stage):
        return comes_in(stage, OPEN, CALLEE, ending)


@contextmanager
def other_call(stage: Stage) -> Iterator[None]:
    """Have somebody talk by a line for a while."""
    other = stage.caller(TALKS, f"{PREFIX[OPEN]}000", by=THIRD)
    stage.wait_state("talking", THIRD)
    yield
    stage.hang_up("talking", THIRD)
    other.finish()


def preconditions(stage: Stage, ending: Ending) -> Played:
    with changed(stage, OPEN, precondition="refuse"):
        return comes_in(stage, OPEN, CALLEE, ending, "Require: precondition")


def loop(stage: Stage, ending: Ending) -> Played:
    """The line where it rings sends the call back."""
    number = f"{PREFIX[RINGING]}777"
    out = stage.caller(refused(480), number)
    stage.wait_state("ringing")
    played = comes_in(stage, RINGING, number, ending)
    stage.hang_up("ringing")
    out.finish()
    return played


def comes_in(stage: Stage, line: str, number: str, ending: Ending, *headers: str) -> Played:
    """A call that comes in by a line is refused."""
    text = steps.calling(*headers, refused=str(ending.status))
    carrier = stage.outside.carriers[line]
    calling = carrier.call(number, text, server=stage.exchange.host, name=f"{line}-calls")
    return not_answered(stage, calling)


def emergency(stage: Stage, ending: Ending) -> Played:
    """112 goes by a line that has as many calls as it may."""
    with changed(stage, OPEN, most_outgoing=1):
        caller = stage.caller(TALKS, f"{PREFIX[OPEN]}000")
        stage.wait_state("talking")
        rescued = stage.caller(scenario.caller(), "112", by=THIRD, talk_ms=50)
        played = ended_by_exchange(stage, caller)
        rescued.finish()
    return played


@contextmanager
def changed(stage: Stage, line: str, **options: float | str) -> Iterator[None]:
    """Give a line other options for a while."""
    usual: dict[str, float | str] = {
        "most": -1,
        "most_outgoing": -1,
        "no_answer_s": 0.0,
        "precondition": "answer",
    }
    stage.outside.change(line, **options)
    try:
        yield
    finally:
        stage.outside.change(line, **{name: usual[name] for name in options})


# ---------------------------------------------------------------- the exchange


def application_server(stage: Stage, ending: Ending) -> Played:
    """A call-back is cancelled while both parties talk."""
    first, second = stage.callee(FIRST_OF_TWO), stage.callee(ANSWERS, THIRD)
    server = ApplicationServer(stage.site.callback_port)
    stage.closing.callback(server.close)
    before = len(stage.exchange.records())
    assert server.asks(f"REQUEST: id=t7,called1={CALLEE},called2={THIRD}")["result"] == "0"
    stage.wait_state("talking", CALLEE)
    assert server.asks("CANCEL: id=t7")["result"] == "0"
    for each in (first, second):
        each.finish()
    records = until("both calls leave records", lambda: two(stage.exchange.records()[before:]))
    assert {parse_fci(one["fci"])["callTag"] for one in records} == {str(ending.cause.tag.value)}
    return Played(records[0], 0, told(first, second))


def two(records: list[Record]) -> list[Record]:
    """Return the records when there are two."""
    return records if len(records) == 2 else []


FIRST_OF_TWO = xml(*scenario.callee_answers(), *REINVITED, *HUNG_UP)


def no_port(stage: Stage, ending: Ending) -> Played:
    """Two calls that ring have every port."""
    busy = [
        (stage.callee(RINGS_UNTIL_CANCELLED, callee), stage.caller(refused(480), callee, by=by))
        for callee, by in ((CALLEE, CALLER), (OTHER_CALLEE, THIRD))
    ]
    for by in (CALLER, THIRD):
        stage.wait_state("ringing", by)
    caller = stage.caller(refused(ending.status), by=PHONELESS)
    played = not_answered(stage, caller)
    for by in (CALLER, THIRD):
        stage.hang_up("ringing", by)
    for pair in busy:
        for each in pair:
            each.finish()
    return played


def engine_killed(stage: Stage, ending: Ending) -> Played:
    """The call goes on in another media engine, and its caller hears what comes back there."""
    phone = stage.callee(ANSWERS, echo=True)
    caller = pjsip_phone(stage, TALKER, stage.exchange.host)
    caller.dial(CALLEE)
    caller.wait_heard(1, TONE_HZ, TALK_S)
    engine = stage.exchange.status().engine_pid
    os.kill(engine, signal.SIGKILL)
    until("another engine runs", lambda: stage.exchange.status().engine_pid not in (0, engine))
    caller.wait_heard(1, TONE_HZ, caller.heard_s(1, TONE_HZ) + TALK_S)
    caller.command(do="hangup", call=1)
    phone.finish()
    return Played(stage.record_of(TALKER), 0, told(phone))


def busy_tone(stage: Stage, ending: Ending) -> Played:
    """The recorder's caller sounds like a gateway whose analogue line has been hung up."""
    caller = pjsip_phone(stage, TALKER, stage.exchange.host)
    write_tones(stage.folder / f"pjsua-{TALKER}" / "tone.wav", [(425, 0.5), (0, 0.5)] * 60)
    caller.dial("*47")
    caller.wait("state", "DISCONNECTED")
    return Played(stage.record_of(TALKER), 0, reasons_heard(caller))


def killed_while_it_rings(stage: Stage, ending: Ending) -> Played:
    stage.callee(RINGS_UNTIL_CANCELLED)
    caller = stage.caller(refused(480))
    stage.kill_exchange("ringing")
    stage.exchange.start()
    return Played(stage.record(caller), 0, [])


def killed_and_back_too_late(stage: Stage, ending: Ending) -> Played:
    """The media engine has given the call up when the exchange comes back."""
    stage.callee(ANSWERS)
    caller = stage.caller(TALKS)
    engine = stage.exchange.status().engine_pid
    stage.kill_exchange("talking")
    until("the media engine is gone", lambda: gone({engine}), 30)
    stage.exchange.start()
    return Played(stage.record(caller), 0, [])


def stopped(stage: Stage, ending: Ending) -> Played:
    phone, caller = stage.callee(ANSWERS), stage.caller(TALKS)
    stage.wait_state("talking")
    assert stage.exchange.stop() == 0
    played = ended_by_exchange(stage, caller, phone)
    stage.exchange.start()
    return played


def stopped_while_it_rings(stage: Stage, ending: Ending) -> Played:
    phone = stage.callee(RINGS_UNTIL_CANCELLED)
    caller = stage.caller(refused(ending.status))
    stage.wait_state("ringing")
    assert stage.exchange.stop() == 0
    played = not_answered(stage, caller, phone)
    stage.exchange.start()
    return played


# ---------------------------------------------------------------- what takes half a minute


class Slow:
    """Calls that end when a transaction has had no answer for 32 seconds: made at once, told later.

    Args:
        stage: that lasts as long as they do.
    """

    NAMES = ("callee doesn't answer SIP", "line doesn't answer SIP", "no ACK", "no PRACK")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._callers: dict[str, Sipp] = {}
        self._begin()

    def _begin(self) -> None:
        stage = self._stage
        silent, deaf, hasty, lazy = (str(number) for number in range(310, 317, 2))
        for number in (silent, deaf, hasty, lazy):
            for user in (number, str(int(number) + 1)):
                stage.site.add_user(user)
        # A phone that is there, and says nothing
        phone = stage.account(str(int(silent) + 1))
        hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stage.closing.callback(hole.close)
        hole.bind(("127.0.0.1", phone.port))
        self._call("callee doesn't answer SIP", silent, phone.user, refused(480))
        stage.outside.die(SILENT, silent=True)
        self._call("line doesn't answer SIP", deaf, f"{PREFIX[SILENT]}000", refused(480))
        callee = str(int(hasty) + 1)
        stage.callee(ANSWERS, callee)
        self._call("no ACK", hasty, callee, dials(expect(200), *HUNG_UP))
        callee = str(int(lazy) + 1)
        stage.callee(RINGS_UNTIL_CANCELLED, callee)
        wants = dials(expect(504), scenario.ack_refusal(cseq=2), extra=["Require: 100rel"])
        self._call("no PRACK", lazy, callee, wants)

    def _call(self, name: str, by: str, number: str, text: str) -> None:
        self._callers[name] = self._stage.caller(text, number, by=by)

    def __call__(self, _: Stage, ending: Ending) -> Played:
        """Wait for the end of the call."""
        caller = self._callers[ending.name]
        caller.finish(60)
        record = self._stage.record(caller)
        if ending.talked:
            return Played(record, 0, told(caller))
        status, reasons = final(caller)
        return Played(record, status, reasons)


# ---------------------------------------------------------------- all of them

WAYS: dict[str, Way] = {
    one.name: way
    for one in ENDINGS
    for said, way in (("BYE", bye), ("CANCEL", caller_cancels))
    if one.said == said
}
WAYS |= {one.name: callee_refuses for one in ENDINGS if one.said[:1].isdecimal()}
WAYS |= {
    "caller hangs up, media engine killed before": engine_killed,
    "503 of the only line": leads_nowhere(f"{PREFIX[REFUSING]}000"),
    "486 of a line, Q.850": leads_nowhere(f"{PREFIX[BUSY]}000"),
    "caller has forgotten": caller_has_forgotten,
    "busy tone on the caller's line": busy_tone,
    "caller transfers": caller_transfers,
    "callee has forgotten": callee_has_forgotten,
    "callee transfers": callee_transfers,
    "unknown number": leads_nowhere("555"),
    "incomplete number": leads_nowhere(f"{INCOMPLETE}0"),
    "no right": leads_nowhere(f"{FORBIDDEN}000"),
    "wrong password of a room": in_a_room("*6*1*4711", "*6*1*1"),
    "no port for sound": no_port,
    "room is full": in_a_room("*6*2", "*6*2", "*6*2"),
    "nobody answers": nobody_answers,
    "longest duration": longest_duration,
    "no media": silent_media,
    "session timer": session_timer,
    "exchange killed while it rings": killed_while_it_rings,
    "exchange killed, back too late": killed_and_back_too_late,
    "administrator": hung_up_by_administrator,
    "administrator while it rings": hung_up_while_ringing,
    "application server": application_server,
    "no phone registered": leads_nowhere(PHONELESS),
    "no phone registered by sips": nobody_by_sips,
    "no such call to replace": odd_invite(extra=["Replaces: a;to-tag=b;from-tag=c"]),
    "answer can't be used": answer_of_no_use,
    "offer can't be used": odd_invite("m=audio", "m=audio x"),
    "by sips only": by_sips_only,
    "too many hops": odd_invite("Max-Forwards: 70", "Max-Forwards: 0"),
    "preconditions": preconditions,
    "exchange stopped": stopped,
    "exchange stopped while it rings": stopped_while_it_rings,
    "no line": leads_nowhere(f"{PREFIX[DEAD]}000"),
    "line that it comes by is full": line_full_inwards,
    "all lines are full": lines_full,
    "loop": loop,
    "emergency call": emergency,
    "caller has too many calls": leads_nowhere(CALLEE, by=NEVER_CALLS),
    "called user has too many calls": leads_nowhere(NEVER_CALLED),
    "callee's port is closed": closed_port,
    "line's port is closed": line_closed,
}
SHORT_TIMES = frozenset(
    {
        "no port for sound",
        "no media",
        "caller hangs up, media engine killed before",
        "exchange killed while it rings",
        "exchange killed, back too late",
        "exchange stopped",
        "exchange stopped while it rings",
    }
)
"""Ways that want an exchange with few ports and little patience, which they may end."""
