"""What ends the exchange or its media engine, and what is there afterwards."""

import os
import signal
import time

import pytest

from pbx.sip.message import Response
from tests.app.conftest import NewDaemon, NewPhone
from tests.app.daemon import Daemon, fci
from tests.app.phone import Call
from tests.interop.waiting import until


def _talking(daemon: Daemon, new_phone: NewPhone, **more: str) -> Call:
    call = Call(new_phone(daemon, "100", **more), new_phone(daemon, "101", **more))
    call.talk()
    return call


class TestStop:
    """SIGTERM and Ctrl-C end every call properly."""

    @pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
    def test_bye_to_both_record_and_nothing_left(
        self, new_daemon: NewDaemon, new_phone: NewPhone, transport: str
    ) -> None:
        daemon = new_daemon()
        daemon.start()
        call = _talking(daemon, new_phone, transport=transport)
        # The exchange, the engine and its keeper.
        assert len(daemon.processes()) == 3
        daemon.signal(signal.SIGTERM)
        for phone in (call.caller, call.callee):
            assert call.ended(phone).get("Reason") is not None
        assert daemon.wait() == 0
        (record,) = daemon.records()
        assert fci(record)["callTag"] == "313"
        assert record["talk_time"]
        assert daemon.processes() == {}
        assert not (daemon.folder / "control.sock").exists()
        assert daemon.log.endswith("stopped\n")
        daemon.assert_log_sane()

    def test_ringing_call_is_cancelled(self, new_daemon: NewDaemon, new_phone: NewPhone) -> None:
        daemon = new_daemon()
        daemon.start()
        caller, callee = new_phone(daemon, "100"), new_phone(daemon, "101")
        invite = caller.invite("101")
        offered = callee.request("INVITE")
        callee.answer(offered, 180, "Ringing")
        assert caller.response(invite, 180).status == 180
        daemon.signal(signal.SIGINT)
        cancel = callee.request("CANCEL", offered.call_id)
        callee.answer(cancel, 200)
        callee.answer(offered, 487, "Request Terminated")
        assert caller.response(invite).status == 503
        assert daemon.wait() == 0
        assert fci(daemon.records()[0])["callTag"] == "313"
        assert daemon.processes() == {}

    def test_terminal_that_is_closed(self, new_daemon: NewDaemon, new_phone: NewPhone) -> None:
        daemon = new_daemon()
        daemon.start()
        call = _talking(daemon, new_phone)
        daemon.signal(signal.SIGHUP)
        for phone in (call.caller, call.callee):
            call.ended(phone)
        assert daemon.wait() == 0
        assert daemon.processes() == {}

    def test_phones_that_do_not_answer_hold_nobody_up(
        self, new_daemon: NewDaemon, new_phone: NewPhone
    ) -> None:
        daemon = new_daemon()
        daemon.start()
        _talking(daemon, new_phone)
        begun = time.monotonic()
        assert daemon.stop() == 0
        assert 1 < time.monotonic() - begun < 10
        assert daemon.processes() == {}

    def test_new_calls_are_refused_meanwhile(
        self, new_daemon: NewDaemon, new_phone: NewPhone
    ) -> None:
        daemon = new_daemon()
        daemon.start()
        call = _talking(daemon, new_phone)
        other = new_phone(daemon)
        daemon.signal(signal.SIGTERM)
        # Its BYE isn't answered yet, so the exchange is still there.
        byes = [phone.request("BYE") for phone in (call.caller, call.callee)]
        assert other.options() == 503
        for phone, bye in zip((call.caller, call.callee), byes, strict=True):
            phone.answer(bye, 200)
        assert daemon.wait() == 0

    def test_while_it_starts(self, new_daemon: NewDaemon) -> None:
        """Nobody waits for a media engine to compile, to be told that it isn't wanted."""
        daemon = new_daemon()
        daemon.launch()
        until("its media engine starts", lambda: len(daemon.processes()) == 2)
        assert daemon.stop() == 0
        assert daemon.processes() == {}
        daemon.assert_log_sane()


class TestKilledExchange:
    """`kill -9` of the exchange."""

    def test_phones_stay_registered_and_the_call_goes_on(
        self, new_daemon: NewDaemon, new_phone: NewPhone
    ) -> None:
        daemon = new_daemon()
        daemon.start()
        call = _talking(daemon, new_phone)
        engine = daemon.status().engine_pid
        daemon.wait_kept(2, call=True)
        daemon.kill()
        # Its media engine relays on.
        call.talk()
        daemon.start()
        assert daemon.status().engine_pid == engine
        contacts = [daemon.users()[number].contacts for number in ("100", "101")]
        assert [len(one) for one in contacts] == [1, 1]
        call.talk()
        call.hang_up()
        (record,) = daemon.wait_records(1)
        assert fci(record)["callTag"] == "102"
        again = Call(call.caller, call.callee)
        again.talk()
        again.hang_up()
        assert daemon.stop() == 0
        assert daemon.processes() == {}
        daemon.assert_log_sane()

    def test_call_that_lost_its_engine_too_leaves_its_record(
        self, new_daemon: NewDaemon, new_phone: NewPhone
    ) -> None:
        """As by a power cut."""
        daemon = new_daemon()
        daemon.start()
        call = _talking(daemon, new_phone)
        engine = daemon.status().engine_pid
        daemon.wait_kept(2, call=True)
        daemon.kill()
        os.kill(engine, signal.SIGKILL)
        daemon.start()
        (record,) = daemon.wait_records(1)
        assert fci(record)["callTag"] == "308"
        assert (record["caller_number"], record["called_number"]) == ("100", "101")
        assert daemon.status().calls == 0
        # The phones need not register again to be called.
        again = Call(call.caller, call.callee)
        again.talk()
        again.hang_up()
        daemon.wait_records(2)
        assert daemon.stop() == 0
        daemon.assert_log_sane()

    def test_over_and_over(self, new_daemon: NewDaemon, new_phone: NewPhone) -> None:
        """A restart finds all that the one before has found."""
        daemon = new_daemon()
        daemon.start()
        phone = new_phone(daemon, "100")
        for _ in range(3):
            daemon.wait_kept(1)
            daemon.kill()
            daemon.start()
        assert [one.uri for one in daemon.users()["100"].contacts] == [phone.contact]


class TestKilledEngine:
    """`kill -9` of the media engine."""

    def test_another_one_takes_over_the_running_call(
        self, new_daemon: NewDaemon, new_phone: NewPhone
    ) -> None:
        daemon = new_daemon()
        daemon.start()
        call = _talking(daemon, new_phone)
        engine = daemon.status().engine_pid
        os.kill(engine, signal.SIGKILL)
        until(
            "another media engine runs",
            lambda: daemon.status().engine_pid not in (0, engine),
            why_not=lambda: daemon.log[-3000:],
        )
        call.talk()
        assert daemon.status().engine_restarts == 1
        assert daemon.status().calls == 1
        call.hang_up()
        daemon.wait_records(1)
        assert daemon.stop() == 0
        assert daemon.processes() == {}
        daemon.assert_log_sane()

    def test_a_call_while_there_is_none_gets_an_answer(
        self, new_daemon: NewDaemon, new_phone: NewPhone
    ) -> None:
        daemon = new_daemon()
        daemon.start()
        caller, callee = new_phone(daemon, "100"), new_phone(daemon, "101")
        os.kill(daemon.status().engine_pid, signal.SIGKILL)
        invite = caller.invite("101")
        offered = callee.request("INVITE")
        callee.answer(offered, 486, "Busy Here")
        refused: Response = caller.response(invite)
        assert refused.status == 486
        caller.acknowledge(invite, refused, invite.get("Via") or "")
        daemon.wait_records(1)


class TestRfc3261Section18_4:
    """A peer's connection that ends takes nobody else's call with it."""

    @pytest.mark.parametrize("transport", ["tcp", "tls"])
    def test_phone_that_vanishes(
        self, new_daemon: NewDaemon, new_phone: NewPhone, transport: str
    ) -> None:
        daemon = new_daemon()
        daemon.start()
        call = _talking(daemon, new_phone, transport=transport)
        lost = new_phone(daemon, "102", transport=transport)
        lost.close()
        call.talk()
        call.hang_up()
        daemon.wait_records(1)
        daemon.assert_sane()
