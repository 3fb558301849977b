"""The two exchanges, and how a call that has to be decoded is made through each."""

import contextlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pbx.media import codecs
from tests.bench.media.asterisk import asterisk
from tests.bench.networks.phones import BenchPhone
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.program import PROMPT

OURS, ASTERISK, ASTERISK_BUFFERED = "ours", "Asterisk", "Asterisk, jitter buffer"
PROGRAMS = (OURS, ASTERISK, ASTERISK_BUFFERED)

CALL, ROOM = "call to G.722", "conference"
KINDS = (CALL, ROOM)

_PASSWORD = "secret"  # noqa: S105 of users of the bench
_STREAMS = 100


class Switch(ABC):
    """A running exchange."""

    @abstractmethod
    def pair(self, stack: contextlib.ExitStack, kind: str) -> tuple[BenchPhone, BenchPhone]:
        """Connect two phones: who talks, by PCMU, and who hears.

        Args:
            stack: ends the phones.
            kind: of the call, one of `KINDS`.
        """


class Ours(Switch):
    """Our exchange, whose phones are registered.

    Args:
        exchange: it, running.
        calls: how many of each kind there are at once at the most.
    """

    def __init__(self, exchange: Exchange, calls: int) -> None:
        self._port = exchange.port
        self._numbers = [str(3100 + place) for place in range(1 + calls)]
        for number in self._numbers:
            exchange.add_user(number, _PASSWORD)
        self._callees = itertools.cycle(self._numbers[1:])
        self._rooms = itertools.count(4000)

    def _phone(
        self, stack: contextlib.ExitStack, number: str, codec: int = codecs.PCMU
    ) -> BenchPhone:
        made = BenchPhone(self._port, number, _PASSWORD, codec)
        stack.callback(made.close)
        return made

    def pair(self, stack: contextlib.ExitStack, kind: str) -> tuple[BenchPhone, BenchPhone]:
        talker = self._phone(stack, self._numbers[0])
        if kind == CALL:
            number = next(self._callees)
            hearer = self._phone(stack, number, codecs.G722)
            hearer.register()
            talker.call(number, hearer)
            stack.callback(hearer.register, 0)
            stack.callback(hearer.hung_up)
        else:
            hearer = self._phone(stack, self._numbers[1])
            room = f"*6*{next(self._rooms)}"
            hearer.call(room)
            talker.call(room)
            stack.callback(hearer.hang_up)
        stack.callback(talker.hang_up)
        return talker, hearer


_DIALPLAN = """\
[bench]
; 92 and 97, then the callee's port: it wants G.722
exten => _92X.,1,Dial(PJSIP/uas-g722/sip:${EXTEN}@127.0.0.3:${EXTEN:2},60)
exten => _97X.,1,Set(JITTERBUFFER(adaptive)=default)
 same => n,Dial(PJSIP/uas-g722/sip:${EXTEN}@127.0.0.3:${EXTEN:2},60)
exten => _81X.,1,Answer()
 same => n,ConfBridge(${EXTEN})
exten => _82X.,1,Answer()
 same => n,Set(CONFBRIDGE(user,jitterbuffer)=yes)
 same => n,ConfBridge(${EXTEN})
"""

_CONCEALMENT = "[plc]\ngenericplc => true\ngenericplc_on_equal_codecs => true\n"
"""Asterisk's, which it has to be told of."""


class Asterisk(Switch):
    """Asterisk, which trusts the address of whoever calls.

    Args:
        port: its own.
        buffered: with its jitter buffer.
    """

    _rooms = itertools.count(1000)

    def __init__(self, port: int, *, buffered: bool) -> None:
        self._port = port
        self._call, self._room = ("97", "82") if buffered else ("92", "81")

    def _phone(
        self, stack: contextlib.ExitStack, home: str, codec: int = codecs.PCMU
    ) -> BenchPhone:
        made = BenchPhone(self._port, "uac", codec=codec, home=home, trusted=True)
        stack.callback(made.close)
        return made

    def pair(self, stack: contextlib.ExitStack, kind: str) -> tuple[BenchPhone, BenchPhone]:
        talker = self._phone(stack, "127.0.0.2")
        if kind == CALL:
            hearer = self._phone(stack, "127.0.0.3", codecs.G722)
            talker.call(f"{self._call}{hearer.sip_port}", hearer)
            stack.callback(hearer.hung_up)
        else:
            hearer = self._phone(stack, "127.0.0.2")
            room = f"{self._room}{next(self._rooms)}"
            hearer.call(room)
            talker.call(room)
            stack.callback(hearer.hang_up)
        stack.callback(talker.hang_up)
        return talker, hearer


@contextlib.contextmanager
def running(peers: Any, folder: Path, calls: int) -> Iterator[dict[str, Switch]]:
    """Have both exchanges run; yields them by their names in `PROGRAMS`.

    Args:
        peers: the harness' module.
        folder: for files of both.
        calls: how many of each kind there are at once.
    """
    with contextlib.ExitStack() as stack:
        # Who only hears sends nothing for the whole of a talk.
        exchange = Exchange(folder / "exchange", Ports(), streams=_STREAMS, media="timeout_s = 0")
        stack.callback(exchange.close)
        exchange.start()
        for pid in (exchange.pid, exchange.status().engine_pid):
            # As the harness does with Asterisk: each session has its own place in the line.
            peers.first_in_line(pid, PROMPT)
        files = {"extensions.conf": _DIALPLAN.encode(), "codecs.conf": _CONCEALMENT.encode()}
        other = asterisk(peers, folder, files, ["func_jitterbuffer"], nice=PROMPT)
        stack.callback(other.stop)
        other.start()
        port = int(other.sip[1])
        yield {
            OURS: Ours(exchange, calls),
            ASTERISK: Asterisk(port, buffered=False),
            ASTERISK_BUFFERED: Asterisk(port, buffered=True),
        }
