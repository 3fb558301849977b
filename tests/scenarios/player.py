"""Plays a figure on the fake clock: who sends what, who hears what, in its order and nothing else."""

import re
from collections.abc import Callable
from urllib.parse import quote

from pbx.sip.message import Request, Response
from tests.call.office import HOME, Office, Phone
from tests.call.phone import Invite
from tests.scenarios.figure import NUMBERS, Step, phone_of, phones_in, says, steps


class Player:
    """Plays one figure, as `figure` has them.

    Args:
        unregistered: phones that have not registered before it begins.
        natted: phones behind a router that translates addresses.
    """

    def __init__(
        self,
        office: Office,
        figure: str,
        *,
        unregistered: tuple[str, ...] = (),
        natted: tuple[str, ...] = (),
    ) -> None:
        self.office = office
        self._steps = steps(figure)
        self._phones: dict[str, Phone] = {}
        for name in phones_in(self._steps):
            host = f"192.0.2.4{name[1]}" if name in ("b1", "b2", "b3", "b4") else None
            phone = self._phones[name] = office.phone(NUMBERS[name], host, register=False)
            phone.inner = "10.0.0.5" if name in natted else ""
            if name not in unregistered:
                phone.register()
        self._calls: dict[str, Invite] = {}
        self._invites: dict[str, Request] = {}
        self._heard: dict[str, Request] = {}
        self._answers: dict[str, Response] = {}
        self._challenges: dict[str, Response] = {}
        self._cseq: dict[str, int] = {}

    def play(self) -> None:
        """Play it; fails at the first step that isn't as the figure has it."""
        for number, step in enumerate(self._steps, start=1):
            try:
                self._step(step)
            except (AssertionError, IndexError) as error:
                raise AssertionError(f"F{number} {step.text}: {error or 'nothing came'}") from error
        for name, phone in self._phones.items():
            left = [message.start_line() for message in phone.inbox]
            assert not left, f"{name} hears what the figure lacks: {left}"
        self._phones.clear()
        self.office.phones.clear()
        self.office.advance(700)
        self.office.assert_empty()

    def _step(self, step: Step) -> None:
        if step.who == "wait":
            self.office.advance(float(step.words[0]))
        elif step.who == "record":
            cause = self.office.cause()
            assert cause == (step.words[0], int(step.words[1])), cause
        elif step.hears:
            self._hear(step)
        elif step.what.isdigit():
            self._respond(step)
        else:
            self._request(step)

    def _phone(self, step: Step) -> Phone:
        return self._phones[phone_of(step.who)]

    # ---------------------------------------------------------------- what phones hear

    def _hear(self, step: Step) -> None:
        phone, who = self._phone(step), step.who
        message: Request | Response
        if step.what.isdigit():
            message = self._answer(step)
        else:
            message = self._heard[who] = phone.hears(step.what)
            if step.what == "INVITE":
                self._invites.setdefault(who, message)
        text = message.encode().decode()
        lacking = [word for word in step.more if not says(step.what, text, word)]
        assert not lacking, f"{lacking} isn't in\n{text}"

    def _answer(self, step: Step) -> Response:
        who = step.who
        answer = self._answers[who] = self._phone(step).response(int(step.what))
        if answer.status in (401, 407):
            self._challenges[who] = answer
        call = self._calls.get(who)
        if call is not None and answer.cseq.method in ("INVITE", "SUBSCRIBE") and answer.to.tag:
            call.answer = answer
        return answer

    # ---------------------------------------------------------------- what phones say

    def _sdp(self, step: Step) -> bytes:
        if step.what == "MESSAGE":
            return b"Alice is on my line. Do you take her?"
        direction = step.direction
        if step.what == "INVITE" and not direction and not self._within_a_call(step):
            direction = "" if "late" in step.more else "sendrecv"
        # One codec, so that the exchange's services needn't ask for one
        sdp = self._phone(step).sdp(direction).replace(b" 8 0 ", b" 0 ")
        return sdp if direction else b""

    def _respond(self, step: Step) -> None:
        request = self._invites[step.who] if "invite" in step.more else self._heard[step.who]
        moved = f"Contact: <sip:{step.dialled}@{HOME.host}>" if step.dialled else ""
        self._phone(step).respond(
            request,
            int(step.what),
            body=self._sdp(step),
            headers=moved,
            contact="" if moved else None,
        )

    def _request(self, step: Step) -> None:
        named: dict[str, Callable[[Step], None]] = {
            "REGISTER": self._register,
            "INVITE": self._invite,
            "SUBSCRIBE": self._invite,
            "MESSAGE": self._invite,
            "ACK": self._ack,
            "CANCEL": self._cancel,
        }
        self._phone(step).features = ";isfocus" if "focus" in step.more else ""
        named.get(step.what, self._within)(step)

    def _auth(self, step: Step, uri: str) -> str:
        if "auth" not in step.more:
            return ""
        return self._phone(step).authorized(self._challenges[step.who], step.what, uri)

    def _next(self, who: str) -> int:
        self._cseq[who] = self._cseq.get(who, 0) + 1
        return self._cseq[who]

    def _register(self, step: Step) -> None:
        phone, uri = self._phone(step), f"sip:{HOME.host}"
        expires, auth = step.value("expires"), self._auth(step, uri)
        if "wrong" in step.more:
            auth = auth.replace('response="', 'response="0').replace('0"', '"', 1)
        phone.request(
            "REGISTER",
            uri,
            call_id=f"reg-{step.who}",
            cseq=self._next(step.who),
            to=f"<sip:{phone.number}@{HOME.host}>",
            headers="\n".join(filter(None, [expires and f"Expires: {expires}", auth])),
            contact="query" not in step.more,
        )

    def _headers(self, step: Step) -> list[str]:
        headers = []
        if step.what == "SUBSCRIBE":
            headers = ["Event: dialog", f"Expires: {step.value('expires') or 600}"]
        if step.what == "MESSAGE":
            headers = ["Content-Type: text/plain"]
        if "join" in step.more:
            headers += ["Require: join", "Join: a@b;to-tag=1;from-tag=2"]
        if step.what == "INVITE" and "auth" in step.more and (taken := step.value("replaces")):
            told = self._heard[taken].body.decode()
            found = re.search(r'call-id="(.*?)" local-tag="(.*?)" remote-tag="(.*?)"', told)
            assert found, told
            call_id, to_tag, from_tag = found.groups()
            headers += ["Require: replaces"]
            headers += [f"Replaces: {call_id};to-tag={to_tag};from-tag={from_tag};early-only"]
        return headers

    def _within_a_call(self, step: Step) -> bool:
        call = self._calls.get(step.who)
        begun = call is not None and call.answer is not None and call.answer.status == 200
        return begun or step.who in self._invites

    def _invite(self, step: Step) -> None:
        """An INVITE, or another request that begins something."""
        if self._within_a_call(step):
            self._within(step)
            return
        who, phone = step.who, self._phone(step)
        uri = f"sip:{step.dialled}@{HOME.host}" if step.dialled else self._calls[who].uri
        cseq = self._next(who)
        branch = phone.request(
            step.what,
            uri,
            call_id=f"call-{who}",
            cseq=cseq,
            body=self._sdp(step),
            headers="\n".join([*self._headers(step), self._auth(step, uri)]).strip(),
            contact=step.what != "MESSAGE",
        )
        self._calls[who] = Invite(phone, uri, f"call-{who}", branch, cseq=cseq)

    def _ack(self, step: Step) -> None:
        who = step.who
        answer = self._answers[who]
        if who not in self._calls:
            # whom somebody has called acknowledges the answer to its own re-INVITE
            number = answer.cseq.number
            self._phone(step).within(self._invites[who], "ACK", number, self._sdp(step))
            return
        call = self._calls[who]
        if answer.status < 300:
            call.ack(self._sdp(step))
            return
        self._phone(step).request(
            "ACK",
            call.uri,
            call_id=call.call_id,
            cseq=answer.cseq.number,
            to=answer.get("To"),
            branch=call.branch,
        )

    def _cancel(self, step: Step) -> None:
        call = self._calls[step.who]
        self._phone(step).request(
            "CANCEL", call.uri, call_id=call.call_id, cseq=call.cseq, branch=call.branch,
            contact=False,
        )  # fmt: skip

    def _named(self, who: str) -> str:
        """The dialog of a line as the value of a Replaces header to its peer (RFC 3891)."""
        call = self._calls.get(who)
        if call is not None:
            assert call.answer is not None
            return f"{call.call_id};to-tag={call.answer.to.tag};from-tag={call.answer.from_.tag}"
        invite = self._invites[who]
        tag = self._phones[phone_of(who)].tag
        return f"{invite.call_id};to-tag={invite.from_.tag};from-tag={tag}"

    def _within(self, step: Step) -> None:
        who, headers = step.who, self._headers(step)
        if step.what == "REFER":
            taken = step.value("replaces")
            replaces = f"?Replaces={quote(self._named(taken))}" if taken else ""
            headers.append(f"Refer-To: <sip:{step.dialled}@{HOME.host}{replaces}>")
        lines = "\n".join(headers)
        if who in self._calls:
            call = self._calls[who]
            call.cseq = self._next(who)
            call.branch = call.request(step.what, call.cseq, self._sdp(step), lines)
            return
        phone = self._phone(step)
        phone.within(self._invites[who], step.what, self._next(who), self._sdp(step), lines)
