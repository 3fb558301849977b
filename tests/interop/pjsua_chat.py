"""pjsua2 as a phone for texts, presence and the message lamp.

`main`, its process, takes a command a line (``text NUMBER WORDS``, ``watch NUMBER``, ``unwatch
NUMBER``, ``status WORDS``, ``away WORDS``, ``online``, ``leave``, ``return``), and prints a line for all
that it hears.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.interop.pjsua import PjsuaProcess, open_endpoint, typed_lines
from tests.interop.ports import Ports
from tests.interop.waiting import until


class PjsuaChat(PjsuaProcess):
    """One pjsua2 phone, as a test has it.

    Args:
        folder: where its output goes.
        ports: where its port comes from.
        number, password: the account.
        server: the exchange's host and port.
        transport: ``udp`` or ``tcp``.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        number: str,
        password: str,
        server: str,
        transport: str = "udp",
        closing: ExitStack,
    ) -> None:
        account = {"number": number, "password": password, "server": server}
        where = {"port": ports.block(2), "transport": transport, "console": 4}
        super().__init__("pjsua_chat", folder, {**account, **where})
        closing.callback(self.program.end)
        self.hears("registered 200")

    def command(self, *words: str) -> None:
        """Type a line."""
        self.type(" ".join(words))

    def lines(self) -> list[str]:
        """Return what it has heard so far."""
        return [line[2:] for line in self.program.said().splitlines() if line.startswith("> ")]

    def hears(self, line: str, within_s: float = 30.0, times: int = 1) -> None:
        """Wait until it has heard something, so often."""
        until(
            f"pjsua {self.number} hears {line!r} {times} times",
            lambda: sum(one.startswith(line) for one in self.lines()) >= times,
            within_s,
            why_not=self.program.last_words,
        )

    def close(self) -> None:
        """End it without unregistering or unsubscribing, as a phone whose battery is empty."""
        self.program.process.kill()
        self.program.end()


def _say(*words: object) -> None:
    print(">", *(word for word in words if word != ""), flush=True)  # noqa: T201 - it is how the test hears of it


def main(config: dict[str, Any]) -> None:
    """Run the phone until its input ends."""
    import pjsua2 as pj  # it tells no types

    server = config["server"]

    class Friend(pj.Buddy):  # type: ignore[misc]
        def onBuddyState(self) -> None:  # noqa: N802
            info = self.getInfo()
            status = info.presStatus
            user = info.uri.partition(":")[2].partition("@")[0]
            words = {
                pj.PJSUA_BUDDY_STATUS_ONLINE: "online",
                pj.PJSUA_BUDDY_STATUS_OFFLINE: "offline",
            }
            doing = {pj.PJRPID_ACTIVITY_AWAY: "away", pj.PJRPID_ACTIVITY_BUSY: "busy"}
            state = words.get(status.status, "unknown")
            _say("friend", user, state, doing.get(status.activity, ""), status.note)

    class Mine(pj.Account):  # type: ignore[misc]
        def onRegState(self, prm: pj.OnRegStateParam) -> None:  # noqa: N802
            _say("registered", prm.code)

        def onInstantMessage(self, prm: pj.OnInstantMessageParam) -> None:  # noqa: N802
            sender = prm.fromUri.partition(":")[2].partition("@")[0]
            _say("text", sender, prm.contentType, prm.msgBody)

        def onInstantMessageStatus(self, prm: pj.OnInstantMessageStatusParam) -> None:  # noqa: N802
            _say("sent", prm.code, prm.msgBody)

        def onMwiInfo(self, prm: pj.OnMwiInfoParam) -> None:  # noqa: N802
            _say("waiting", prm.rdata.wholeMsg.partition("\r\n\r\n")[2].replace("\r\n", " "))

    closing = ExitStack()
    endpoint, account = open_endpoint(closing, config)
    if config["transport"] == "tcp":
        account.sipConfig.proxies.append(f"sip:{server};transport=tcp;lr")
    account.regConfig.timeoutSec = 300
    account.presConfig.publishEnabled = True
    account.mwiConfig.enabled = True
    mine = Mine()
    mine.create(account)
    friends: dict[str, Friend] = {}

    def friend(who: str) -> Friend:
        if who not in friends:
            config = pj.BuddyConfig()
            config.uri = f"sip:{who}@{server}"
            friends[who] = Friend()
            friends[who].create(mine, config)
        return friends[who]

    def online(activity: int, words: str) -> None:
        status = pj.PresenceStatus()
        status.status = pj.PJSUA_BUDDY_STATUS_ONLINE
        status.activity = activity
        status.note = words
        mine.setOnlineStatus(status)

    for line in typed_lines(endpoint):
        command, _, rest = line.partition(" ")
        who, _, words = rest.partition(" ")
        if command == "text":
            prm = pj.SendInstantMessageParam()
            prm.content = words
            friend(who).sendInstantMessage(prm)
        elif command == "watch":
            friend(who).subscribePresence(True)
        elif command == "unwatch":
            friend(who).subscribePresence(False)
        elif command in ("leave", "return"):
            mine.setRegistration(command == "return")
        elif command == "away":
            online(pj.PJRPID_ACTIVITY_AWAY, rest)
        else:
            online(pj.PJRPID_ACTIVITY_UNKNOWN, rest)
    mine.shutdown()
    closing.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
