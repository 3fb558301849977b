"""A real engine and its exchange: commands, garbage, reconnects, the end."""

import contextlib
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from pbx.media.engine.control_socket import MAX_UNSENT, ExchangeLink
from pbx.media.protocol import (
    VERSION,
    Address,
    Hello,
    Query,
    Ready,
    Refused,
    Release,
    Released,
    Report,
    Timeout,
    Unframer,
    frame,
)
from tests.media.engine_process import (
    DEADLINE_S,
    EngineProcess,
    Link,
    Phone,
    connect_phones,
    free_block,
    running,
    stream,
)


class TestCommands:
    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"port": 2}, "not one of ours"),
            ({"port": -1}, "not one of ours"),
            ({"port": 2**63}, "not one of ours"),
            ({"sink": 3}, "not one of ours"),
            ({"local": "localhost"}, "no IP address"),
            ({"local": "127.0.0.1" * 5000}, "no IP address"),
            ({"local": "::1"}, "can't be reached"),
            ({"remote_rtp": Address("::1%nowhere", 4), "local": "::1"}, "no interface"),
            ({"remote_rtp": Address("", 4000)}, "no IP address"),
            ({"remote_rtp": Address("0.0.0.0", 4000)}, "nobody"),
            ({"remote_rtp": Address("127.0.0.1", 0)}, "no port"),
            ({"remote_rtp": Address("127.0.0.1", 65536)}, "no port"),
            ({"remote_rtcp": Address("127.0.0.1", -1)}, "no port"),
            ({"timeout_s": float("nan")}, "time-out"),
            ({"timeout_s": float("inf")}, "time-out"),
            ({"timeout_s": -1.0}, "time-out"),
            ({"generation": -1}, "generation"),
            ({"generation": 2**64 - 1}, "generation"),
        ],
    )
    def test_refused(
        self, link: Link, phones: list[Phone], changes: dict[str, object], word: str
    ) -> None:
        port = link.ready.ports[0]
        settings: dict[str, object] = {"port": port, "sink": 0, "remote": phones[0].address}
        if "remote_rtp" in changes:
            settings["remote"] = changes["remote_rtp"]
        settings.update((name, v) for name, v in changes.items() if name != "remote_rtp")
        link.send(stream(**settings))  # type: ignore[arg-type]
        assert word in link.expect(Refused).reason
        assert link.counts() == {}

    def test_release_of_nothing(self, link: Link) -> None:
        link.send(Release([link.ready.ports[0], 1, 2**64 - 1]))
        assert "has no stream" in link.expect(Refused).reason
        link.settle()

    def test_release_of_something_beside(self, link: Link, phones: list[Phone]) -> None:
        one, two, none = link.ready.ports[:3]
        link.send(stream(one, 0, phones[0].address), stream(two, 0, phones[1].address))
        assert link.counts().keys() == {one, two}
        link.send(Release([one, none, two]))
        assert {link.expect(Released).counts.port for _ in range(2)} == {one, two}
        (refused,) = link.said(Refused)
        assert refused.reason == f"port {none} has no stream"
        assert link.counts() == {}

    def test_hello_first(self, engine: EngineProcess, link: Link) -> None:
        raw = Link(engine.connect_raw())
        raw.send(Query())
        assert "Hello" in raw.expect(Refused).reason
        raw.close()

    def test_another_version(self, engine: EngineProcess, link: Link) -> None:
        raw = Link(engine.connect_raw())
        raw.send(Hello(VERSION + 1, 1.0))
        assert "version" in raw.expect(Refused).reason
        raw.until_closed()
        raw.close()

    def test_bad_grace(self, engine: EngineProcess, link: Link) -> None:
        raw = Link(engine.connect_raw())
        for grace_s in (-1.0, float("nan"), float("inf")):
            raw.send(Hello(VERSION, grace_s))
            assert "grace" in raw.expect(Refused).reason
        raw.close()

    @pytest.mark.parametrize(
        "garbage",
        [
            b"\xff" * 4,
            b"\0\0\0\0",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\0\0\0\x01\xc1",
            frame(Ready(1, 1, [], [], True)),
            frame(Hello(VERSION, 20.0))[:-1] + b"x",
            os.urandom(100_000),
        ],
    )
    def test_garbage_ends_the_connection_only(
        self, engine: EngineProcess, link: Link, phones: list[Phone], garbage: bytes
    ) -> None:
        a, b = phones[:2]
        one, _ = connect_phones(link, a, b)
        with contextlib.suppress(OSError):
            link.connection.sendall(garbage)
            link.connection.shutdown(socket.SHUT_WR)
        link.until_closed()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        assert one in engine.connect().ready.streams
        assert "Traceback" not in engine.log

    def test_queries_that_nobody_waits_for(self, engine: EngineProcess, link: Link) -> None:
        """What an exchange asked before it died is not answered to the next one."""
        ports = link.ready.ports
        link.send(*(stream(port, 0, None) for port in ports))
        link.connection.sendall(frame(Query()) * 500)
        again = engine.connect()
        assert set(again.counts()) == set(ports)
        assert again.waiting == []


class TestExchangeLink:
    def test_an_exchange_that_does_not_read(self) -> None:
        """Its reports pile up; the engine gives it up instead of eating the memory."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        link = ExchangeLink(ours)
        report = Refused("x" * 100_000)
        with theirs:
            for _ in range(MAX_UNSENT // 100_000):
                link.send(report)
            assert link.wants_write
            with contextlib.suppress(ConnectionAbortedError):
                for _ in range(20):
                    link.send(report)
                pytest.fail("it is still waited for")
            link.close()

    def test_reports_wait_for_room(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        link = ExchangeLink(ours)
        sent = [Refused(str(number) * 100_000) for number in range(10)]
        for report in sent:
            link.send(report)
        theirs.setblocking(False)
        unframer = Unframer(Report)
        got: list[object] = []
        while len(got) < len(sent):
            link.flush()
            with contextlib.suppress(BlockingIOError):
                got += unframer.feed(theirs.recv(1 << 20))
        assert got == sent
        assert not link.wants_write
        theirs.close()
        with pytest.raises(ConnectionError):
            link.receive()
        link.close()


class TestExchangeGone:
    def test_logs_to_nobody(self, tmp_path: Path, phones: list[Phone]) -> None:
        """The exchange read the engine's log; its pipe breaks with it."""
        a, b = phones[:2]
        read, write = os.pipe()
        with running("--verbose", stderr=write) as another:
            os.close(write)
            another.connect()
            os.close(read)
            link = another.connect()
            one, _ = connect_phones(link, a, b)
            packet = a.say(one)
            assert b.rtp.recv(4096) == packet
            another.process.terminate()
            assert another.wait() == 0

    def test_relays_on_and_is_taken_over(
        self, engine: EngineProcess, link: Link, phones: list[Phone]
    ) -> None:
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        link.close()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        again = engine.connect()
        assert again.ready.pid == link.ready.pid
        assert again.ready.streams == sorted((one, two))
        counts = again.release(one, two)
        assert counts[one].received == counts[two].sent == 1

    def test_silence_is_said_to_the_new_exchange(
        self, engine: EngineProcess, link: Link, phones: list[Phone]
    ) -> None:
        one = link.ready.ports[0]
        link.send(stream(one, 0, phones[0].address, timeout_s=0.2))
        link.expect(Timeout)
        link.close()
        assert engine.connect().expect(Timeout) == Timeout(one)

    def test_a_new_connection_replaces_the_old(self, engine: EngineProcess, link: Link) -> None:
        again = engine.connect()
        link.until_closed()
        again.settle()

    def test_ends_after_the_grace_time(self) -> None:
        with running() as another:
            link = another.connect(grace_s=0.3)
            began = time.monotonic()
            link.close()
            assert another.wait() == 0
            assert 0.3 <= time.monotonic() - began < DEADLINE_S / 2
            assert not another.path.exists()

    def test_ends_where_no_exchange_ever_comes(self) -> None:
        with running("--grace", "0.1") as another:
            assert another.wait() == 0

    @pytest.mark.parametrize("words", [(), ("--real-time",)])
    def test_sigterm(self, words: tuple[str, ...]) -> None:
        with running(*words) as another:
            link = another.connect()
            link.send(stream(link.ready.ports[0], 0, None))
            link.settle()
            another.process.send_signal(signal.SIGTERM)
            assert another.wait() == 0
            assert not another.path.exists()

    def test_kill_and_start_again(self) -> None:
        """The next engine has the same ports within a second, here on a busy machine."""
        block = free_block()
        with running(first_port=block) as another:
            ports = another.connect().ready.ports
            another.process.kill()
            another.wait()
            with running(first_port=block) as next_one:
                assert next_one.connect().ready.ports == ports
