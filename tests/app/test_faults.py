"""Our own bugs cost one message, and the exchange goes on (it runs a telephone service)."""

from tests.app.conftest import NewDaemon, NewPhone
from tests.app.phone import Call


def test_a_bug_costs_one_message(new_daemon: NewDaemon, new_phone: NewPhone) -> None:
    daemon = new_daemon(program=("-m", "tests.app.faulty"))
    daemon.start()
    phone = new_phone(daemon)
    for transport in ("udp", "tcp"):
        unlucky = new_phone(daemon, transport=transport)

        # Where a request is carried out: it is answered ...
        request = unlucky.make("OPTIONS", f"sip:{unlucky.server}", ("Subject", "admission"))
        unlucky.send(request.encode())
        assert unlucky.response(request).status == 500
        # ... and the log tells which one it was.
        assert request.call_id in daemon.log
        assert "RuntimeError: a bug" in daemon.log

        # Where it is read, and where the answer is sent: silence.
        for more in (
            ("Subject", "parser"),
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx;x=socket"),
        ):
            request = unlucky.make("OPTIONS", f"sip:{unlucky.server}", more)
            unlucky.send(request.encode())
            # By the same path, so that it is handled after that one.
            assert unlucky.options() == 200
        assert phone.options() == 200

    # The timers fail every second time; calls go on all the same.
    call = Call(new_phone(daemon, "100"), new_phone(daemon, "101"))
    call.talk()
    call.hang_up()
    daemon.wait_records(1)
    assert daemon.log.count("a fault of the exchange") >= 6
    # Even an error's own text forges no line.
    assert not any(line.startswith("2026-01-01 forged") for line in daemon.log.split("\n"))
    assert daemon.stop() == 0
