"""pjsua2: a phone that can transfer both ways; plays a tone and records what each call brings.

`main`, its process, reads commands as lines of JSON and tells what happens as lines of JSON.
"""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.interop.pjsua import PjsuaProcess, open_endpoint, typed_lines
from tests.interop.ports import Ports
from tests.interop.tones import heard_seconds, write_tone
from tests.interop.waiting import until


class PjsuaTalker(PjsuaProcess):
    """One phone with one account.

    Args:
        folder: its own folder.
        ports: where it gets its port from.
        number, password: the account.
        server: the exchange's host and port.
        tone_hz: what it plays.
        forward_to: a number that it sends every call to, by 302; empty to answer.
        transport: ``udp``; ``tcp``, where it keeps a flow (RFC 5626); ``tls``, which believes any
            certificate unless `trusts` names one.
        scheme: ``sips`` has it register and call by that, over TLS.
        trusts: a certificate to check the server's by, for TLS.
        lasting: it insists on reliable provisional responses and on session timers, of 90 seconds,
            and is `patient`.
        patient: it is heard before it answers, which it does when `answer` is called.
        plain: it speaks G.711 alone.
        expecting: the status that its REGISTER gets; 0: it isn't waited for.
        port: its own; 0 for any.
        more: of a carrier's subscriber, or peer: ``domain``, ``auth_name``, ``proxy``, ``peer``; see
            `open_endpoint`.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        number: str,
        password: str,
        server: str,
        tone_hz: float,
        forward_to: str = "",
        transport: str = "udp",
        scheme: str = "sip",
        trusts: Path | None = None,
        lasting: bool = False,
        patient: bool = False,
        plain: bool = False,
        expecting: int = 200,
        port: int = 0,
        **more: str,
    ) -> None:
        folder.mkdir(parents=True)
        self._server = more.get("domain") or server
        self._scheme = scheme
        transport = "tls" if trusts else transport
        self._way = "" if transport == "udp" or scheme == "sips" else f";transport={transport}"
        write_tone(folder / "tone.wav", tone_hz, 60.0)
        port = port or ports.block(2)
        self.own = f"127.0.0.1:{port}"
        config = {
            "port": port,
            "number": number,
            "password": password,
            "server": server,
            "transport": transport,
            "forward_to": f"<sip:{forward_to}@{server}>" if forward_to else "",
            "scheme": scheme,
            "trusts": str(trusts or ""),
            "lasting": lasting,
            "patient": patient or lasting,
            "plain": plain,
            **more,
        }
        super().__init__("pjsua_talker", folder, config)
        try:
            if expecting:
                self.wait("registered", expecting)
        except AssertionError:
            self.close()
            raise

    def command(self, **what: object) -> None:
        """Have it do something; see `main`."""
        self.type(json.dumps(what))

    def dial(self, number: str, **headers: str) -> None:
        """Call a number of the exchange, with more headers; its calls are counted from 1."""
        uri = f"{self._scheme}:{number}@{self._server}{self._way}"
        self.command(do="dial", uri=uri, headers=headers)

    def wait_agreed(self, call: int, times: int) -> None:
        """Wait until it has agreed on a call's sound so often."""
        until(
            f"pjsua {self.number} agrees {times} times",
            lambda: (
                sum(one["what"] == "media" and one["call"] == call for one in self.happenings())
                >= times
            ),
            why_not=self.program.last_words,
        )

    def answer(self, call: int) -> None:
        """Answer a call that rings."""
        self.command(do="answer", call=call)

    def transfer(self, call: int, number: str) -> None:
        """Transfer the other party of a call to a number."""
        self.command(do="transfer", call=call, uri=f"sip:{number}@{self._server}")

    def happenings(self) -> list[dict[str, Any]]:
        """Return all that it has told."""
        lines = [line for line in self.program.said().splitlines() if line.startswith('{"what"')]
        return [json.loads(line) for line in lines]

    def wait(self, what: str, value: object, within_s: float = 30.0) -> dict[str, Any]:
        """Wait until it has told of something; return all that it has told of it."""
        return until(
            f"pjsua {self.number} says {what} {value}",
            lambda: next(
                (one for one in self.happenings() if one["what"] == what and one["value"] == value),
                None,
            ),
            within_s,
            why_not=self.program.last_words,
        )

    def wait_heard(self, call: int, tone_hz: float, seconds: float, within_s: float = 30.0) -> None:
        """Wait until a call has brought so much of the tone."""
        until(
            f"pjsua {self.number} hears {seconds:g} s of {tone_hz:g} Hz",
            lambda: self.heard_s(call, tone_hz) >= seconds,
            within_s,
            why_not=self.program.last_words,
        )

    def heard_s(self, call: int, tone_hz: float) -> float:
        """Return for how long a call has brought the tone."""
        path = self.folder / f"heard{call}.wav"
        return heard_seconds(path, tone_hz) if path.exists() else 0.0


def _tell(what: str, value: object, **more: object) -> None:
    print(json.dumps({"what": what, "value": value, **more}), flush=True)


def main(config: dict[str, Any]) -> None:
    """Be a phone until the input ends."""
    import pjsua2 as pj

    folder = Path(config["folder"])
    calls: dict[int, Any] = {}

    class Call(pj.Call):  # type: ignore[misc]
        """Tells what becomes of a call, and lets it hear the tone."""

        def __init__(self, account: Any, call_id: int, place: int) -> None:
            pj.Call.__init__(self, account, call_id)
            self.place = place
            self.player = pj.AudioMediaPlayer()
            self.player.createPlayer(str(folder / "tone.wav"))
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(str(folder / f"heard{place}.wav"))

        def onCallState(self, prm: Any) -> None:
            info = self.getInfo()
            _tell("state", info.stateText, call=self.place, status=int(info.lastStatusCode))

        def onCallMediaState(self, prm: Any) -> None:
            info = self.getInfo()
            for media in info.media:
                if media.type == pj.PJMEDIA_TYPE_AUDIO:
                    _tell("media", int(media.status), call=self.place)
                    if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                        audio = self.getAudioMedia(media.index)
                        self.player.startTransmit(audio)
                        audio.startTransmit(self.recorder)

        def onDtmfDigit(self, prm: Any) -> None:
            _tell("key", prm.digit, call=self.place)

        def onInstantMessage(self, prm: Any) -> None:
            _tell("text", prm.msgBody, call=self.place, kind=prm.contentType)

        def onInstantMessageStatus(self, prm: Any) -> None:
            _tell("delivered", int(prm.code), call=self.place, text=prm.msgBody)

        def onCallTransferStatus(self, prm: Any) -> None:
            _tell("transfer", int(prm.statusCode), call=self.place, final=bool(prm.finalNotify))

    class Account(pj.Account):  # type: ignore[misc]
        """Answers every call."""

        def onRegState(self, prm: Any) -> None:
            _tell("registered", int(prm.code))

        def onIncomingCall(self, prm: Any) -> None:
            place = len(calls) + 1
            calls[place] = Call(self, prm.callId, place)
            _tell("incoming", place, sender=calls[place].getInfo().remoteUri)
            answer = pj.CallOpParam()
            answer.statusCode = 183 if config["patient"] else 200
            if config["forward_to"]:
                answer.statusCode = 302
                contact = pj.SipHeader()
                contact.hName, contact.hValue = "Contact", config["forward_to"]
                answer.txOption.headers.append(contact)
            calls[place].answer(answer)

    closing = ExitStack()
    endpoint, wanted = open_endpoint(closing, config)
    for codec in endpoint.codecEnum2() if config["plain"] else ():
        endpoint.codecSetPriority(codec.codecId, 128 if codec.codecId.startswith("PCM") else 0)
    if config["lasting"]:
        wanted.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
        wanted.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS
        wanted.callConfig.timerMinSESec = wanted.callConfig.timerSessExpiresSec = 90
    account = Account()
    account.create(wanted)

    def dial(what: dict[str, Any]) -> None:
        place = len(calls) + 1
        calls[place] = Call(account, pj.PJSUA_INVALID_ID, place)
        _tell("dialled", place)
        how = pj.CallOpParam(True)
        for name, value in what["headers"].items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            how.txOption.headers.append(header)
        calls[place].makeCall(what["uri"], how)

    def answer(what: dict[str, Any]) -> None:
        how = pj.CallOpParam()
        how.statusCode = 200
        calls[what["call"]].answer(how)

    def update(what: dict[str, Any]) -> None:
        calls[what["call"]].update(pj.CallOpParam(True))

    def hold(what: dict[str, Any]) -> None:
        calls[what["call"]].setHold(pj.CallOpParam(True))

    def transfer(what: dict[str, Any]) -> None:
        calls[what["call"]].xfer(what["uri"], pj.CallOpParam(True))

    def join(what: dict[str, Any]) -> None:
        calls[what["call"]].xferReplaces(calls[what["with"]], pj.CallOpParam(True))

    def resume(what: dict[str, Any]) -> None:
        how = pj.CallOpParam(True)
        how.opt.flag = pj.PJSUA_CALL_UNHOLD
        calls[what["call"]].reinvite(how)

    def press(what: dict[str, Any]) -> None:
        how = pj.CallSendDtmfParam()
        how.digits, how.duration = what["keys"], 160
        kind = "SIP_INFO" if what["info"] else "RFC2833"
        how.method = getattr(pj, f"PJSUA_DTMF_METHOD_{kind}")
        calls[what["call"]].sendDtmf(how)

    def say(what: dict[str, Any]) -> None:
        message = pj.SendInstantMessageParam()
        message.contentType, message.content = "text/plain", what["text"]
        calls[what["call"]].sendInstantMessage(message)

    def hangup(what: dict[str, Any]) -> None:
        calls[what["call"]].hangup(pj.CallOpParam(True))

    known: dict[str, Callable[[dict[str, Any]], None]] = {
        "dial": dial,
        "answer": answer,
        "update": update,
        "hold": hold,
        "transfer": transfer,
        "join": join,
        "say": say,
        "hangup": hangup,
        "resume": resume,
        "press": press,
    }
    _tell("ready", True)
    for line in typed_lines(endpoint):
        what = json.loads(line)
        try:
            known[what["do"]](what)
        except pj.Error:
            # The other party may hang up in the same moment: nothing can be done with a call then.
            if "call" not in what or calls[what["call"]].isActive():
                raise
    for call in calls.values():
        del call.player, call.recorder
    calls.clear()
    closing.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
