"""A line doctor that says what a test has written down."""

import asyncio

from pbx.api.examining import described
from pbx.api.schema import Examination, Finding, Profile
from pbx.config.refusal import command_error
from pbx.lines.profile import profiles


def finding(step: str, mark: str, slug: str, **values: str) -> Finding:
    return Finding(step=step, mark=mark, slug=slug, values=values)


SAID = [
    finding("dns", "good", "dns-address", server="udp 198.51.100.1:5060"),
    finding("reach", "note", "reach-silent-line", server="udp 198.51.100.1:5060"),
    finding("register", "bad", "register-silent", server="udp 198.51.100.1:5060", times="5"),
    finding("authentication", "skipped", "authentication-unreached"),
]


class FakeExamining:
    """Says one thing more each time that it is asked."""

    def __init__(self) -> None:
        self.lines = {"telco"}
        self.line = "telco"
        self.said = list(SAID)
        self.asked: list[tuple[str, str]] = []
        self.stopped: list[str] = []
        self.endless = False

    def profiles(self) -> list[Profile]:
        return [described(one) for one in profiles().values()]

    def examine(self, line: str, number: str) -> Examination:
        if line not in self.lines:
            raise command_error("unknown-line", name=line)
        self.line = line
        self.asked.append((line, number))
        return self._until(1)

    async def more(self, number: str, after: str) -> Examination:
        await asyncio.sleep(0)
        return self._until(int(after) + 1)

    def stop(self, number: str) -> None:
        self.stopped.append(number)

    def _until(self, count: int) -> Examination:
        said = self.said[:count]
        done = count >= len(self.said) and not self.endless
        return Examination(id="1", line=self.line, findings=said, done=done)
