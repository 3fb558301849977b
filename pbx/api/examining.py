"""The line doctor and the provider profiles for the control API."""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from pbx.api import schema
from pbx.config.dial_plan import USERS
from pbx.config.refusal import command_error
from pbx.lines.doctor import Doctor
from pbx.lines.profile import Profile, Text, profiles
from pbx.lines.surgery import Surgery
from pbx.media.protocol import Counts
from pbx.routing.dial_plan import emergency_row
from pbx.store.snapshot import Snapshot

_DIALLED = re.compile(r"\+?[0-9*#]{1,32}")


class ExaminingTarget(Protocol):
    """The part of the control API that examines lines, and knows providers."""

    def profiles(self) -> list[schema.Profile]:
        """Return all provider profiles, by name."""
        ...

    def examine(self, line: str, number: str) -> schema.Examination:
        """Let the doctor begin with a line."""
        ...

    async def more(self, number: str, after: str) -> schema.Examination:
        """Return an examination as soon as it has more than `after` findings, or is done."""
        ...

    def stop(self, number: str) -> None:
        """End an examination."""
        ...


class Examining:
    """The `ExaminingTarget` on a `Surgery`.

    Args:
        surgery: where lines are examined.
        snapshot: the configuration in force.
        clock: the exchange's monotonic seconds.
        changed: called after something was done that has messages sent.
        counts: asks the media engine for its counts of now; None where it doesn't tell them.
    """

    def __init__(
        self,
        surgery: Surgery,
        snapshot: Callable[[], Snapshot],
        clock: Callable[[], float],
        changed: Callable[[], None],
        counts: Callable[[], Awaitable[Counts | None]],
    ) -> None:
        self._surgery = surgery
        self._snapshot = snapshot
        self._clock = clock
        self._changed = changed
        self._counts = counts
        self._numbers = itertools.count(1)
        self._number = 0
        self._doctor: Doctor | None = None
        self._news = asyncio.Event()
        self._counting: asyncio.Task[None] | None = None

    def profiles(self) -> list[schema.Profile]:
        """Return all provider profiles, by name."""
        return [described(one) for one in profiles().values()]

    def examine(self, line: str, number: str) -> schema.Examination:
        """Let the doctor begin with a line; `number` is to be called, empty for none."""
        found = self._snapshot().lines.get(line)
        if found is None:
            raise command_error("unknown-line", name=line)
        if number and not _DIALLED.fullmatch(number):
            raise command_error("bad-call-number", number=number)
        if self._is_emergency(number):
            raise command_error("emergency-number", number=number)
        if self._surgery.busy:
            raise command_error("examination-busy")
        self._number = next(self._numbers)
        self._doctor = self._surgery.examine(found, number, self._told, self._clock())
        self._changed()
        return self._examination(self._doctor)

    def _is_emergency(self, number: str) -> bool:
        """Whether a number is an emergency number, as it is or with the out-group prefix before it."""
        plan = self._snapshot().plan
        return any(
            one in plan.basics.emergency_numbers or emergency_row(plan, one, USERS) is not None
            for one in (number, number.removeprefix(plan.basics.out_prefix))
            if one
        )

    async def more(self, number: str, after: str) -> schema.Examination:
        """Return it as soon as it has more than `after` findings, or is done; else after a while."""
        doctor = self._of(number)
        if not (after.isascii() and after.isdigit()):
            raise command_error("bad-line")
        seen = int(after[:6])
        with suppress(TimeoutError):
            async with asyncio.timeout(schema.WATCH_S):
                while len(doctor.findings) <= seen and not doctor.done:
                    self._news.clear()
                    await self._news.wait()
        return self._examination(doctor)

    def stop(self, number: str) -> None:
        """End an examination."""
        self._of(number).stop(self._clock())
        self._changed()

    def _of(self, number: str) -> Doctor:
        if self._doctor is None or number != str(self._number):
            raise command_error("unknown-examination")
        return self._doctor

    def _examination(self, doctor: Doctor) -> schema.Examination:
        return schema.Examination(
            id=str(self._number),
            line=doctor.line.name,
            findings=[
                schema.Finding(
                    step=one.step, mark=one.mark.value, slug=one.slug, values=dict(one.values)
                )
                for one in doctor.findings
            ],
            done=doctor.done,
        )

    def _told(self) -> None:
        self._news.set()
        doctor = self._doctor
        if doctor is not None and doctor.counting:
            self._counting = asyncio.get_running_loop().create_task(self._count(doctor))

    async def _count(self, doctor: Doctor) -> None:
        counts = await self._counts()
        doctor.counted(counts, self._clock())
        self._changed()


def described(profile: Profile) -> schema.Profile:
    """Return what clients are told of a provider."""
    return schema.Profile(
        name=profile.name,
        title=_both(profile.title),
        kind=profile.kind,
        asks=[
            schema.ProfileAsk(
                key=ask.key,
                label=_both(ask.label),
                default=ask.default,
                optional=ask.optional,
                secret=ask.secret,
            )
            for ask in profile.asks
        ],
        facts=[
            schema.ProfileFact(
                fields=list(fact.fields), says=_both(fact.says), rests_on=fact.rests_on
            )
            for fact in profile.facts
        ],
        notes=[_both(note) for note in profile.notes],
    )


def _both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}
