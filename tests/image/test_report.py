"""minisip-report.txt, and the greeting above login:."""

import itertools
from typing import Any

import pytest

from first_boot.apply import apply
from first_boot.report import ISSUE, Live, look, report, write_issue, write_report
from first_boot.state import load
from tests.image.box import Box

STATUS: dict[str, Any] = {
    "version": "0.2.0",
    "addresses": [
        "udp 192.0.2.7:5060",
        "tcp 192.0.2.7:5060",
        "udp 127.0.0.1:5060",
        "udp [::1]:5060",
    ],
    "engine_pid": 7,
    "certificate": "AB:CD",
    "database_ok": True,
    "uptime_s": 12.5,
}
WELCOME: dict[str, Any] = {
    "addresses": STATUS["addresses"],
    "users": [
        {"number": "100", "password": "first-1", "provisioning_url": ""},
        {"number": "101", "password": "first-2", "provisioning_url": ""},
    ],
}
LINKS: list[dict[str, Any]] = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "scope": "host"}]},
    {
        "ifname": "eth0",
        "addr_info": [
            {"family": "inet6", "local": "2001:db8::9", "scope": "global", "temporary": True},
            {"family": "inet6", "local": "2001:db8::7", "scope": "global"},
            {"family": "inet6", "local": "fe80::7", "scope": "link"},
            {"family": "inet", "local": "192.0.2.7", "scope": "global"},
        ],
    },
]


@pytest.fixture
def running(box: Box) -> Box:
    box.answers = {"status": dict(STATUS), "welcome": dict(WELCOME)}
    box.links = list(LINKS)
    apply(box.machine)
    return box


def lines(box: Box) -> list[str]:
    return (box.boot / "minisip-report.txt").read_bytes().decode("utf-8-sig").split("\r\n")


class TestReport:
    def test_what_a_person_looks_for(self, running: Box) -> None:
        report(running.machine, 180)
        state = load(running.machine)
        assert state is not None
        assert state.one_time is not None
        text = lines(running)
        english = text[: text.index("miniSIPServer：设备报告")]
        for line in (
            "Name: minisip (minisip.local)",
            "Addresses: 192.0.2.7, 2001:db8::7",
            "For phones: udp 192.0.2.7:5060, tcp 192.0.2.7:5060",
            "TLS certificate (SHA-256): AB:CD",
            "Version: 0.2.0",
            "Exchange: running",
            "Log in: ssh pi@minisip.local",
            f"  {state.one_time.password}",
            "  100  first-1",
            "  101  first-2",
            "Everything was taken over as it was written.",
        ):
            assert line in english
        for line in ("地址: 192.0.2.7, 2001:db8::7", "交换机: 运行中", "所写内容已全部采用。"):
            assert line in text

    def test_it_waits_as_long_as_it_was_told(self, running: Box) -> None:
        report(running.machine, 180)
        asked = next(one for one in running.ran("runuser") if "welcome" in one)
        assert int(asked[asked.index("--wait") + 1]) in range(170, 181)

    def test_nothing_new_is_no_write(self, running: Box) -> None:
        report(running.machine, 0)
        before = (running.boot / "minisip-report.txt").stat()
        running.answers["status"]["uptime_s"] = 99.0
        report(running.machine, 0)
        after = (running.boot / "minisip-report.txt").stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (
                {"engine_pid": 0},
                "Exchange: running, but without its media engine: calls have no sound",
            ),
            (
                {"database_ok": False},
                "Exchange: running; its database is away, and call records wait",
            ),
        ],
    )
    def test_what_is_missing(self, running: Box, change: dict[str, object], sentence: str) -> None:
        running.answers["status"] |= change
        report(running.machine, 0)
        assert sentence in lines(running)

    def test_a_silent_exchange_and_no_network(self, box: Box) -> None:
        box.first_start("[box]\ncolour = 'red'\n")
        report(box.machine, 0)
        text = lines(box)
        assert (
            "Exchange: does not answer; 'journalctl -u minisipserver' on the box tells why" in text
        )
        assert "Addresses: none yet" in text
        assert "  - minisip.toml: there is no setting box.colour. It was left out." in text
        assert "  - minisip.toml：没有名为 box.colour 的设置。已略过。" in text

    def test_before_the_exchange_there_is_one_too(self, box: Box) -> None:
        state = box.first_start("[box]\nhostname = 'attic'\n")
        write_report(box.machine, state, None)
        assert "Exchange: starting" in lines(box)
        assert "Name: attic (attic.local)" in lines(box)

    def test_an_address_that_comes_while_it_is_written(
        self, running: Box, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks = itertools.count()

        def late(machine: object, state: object, live: Live) -> None:
            if next(looks) == 0:
                running.links = []
            written.append(live.addresses)

        written: list[tuple[str, ...]] = []
        monkeypatch.setattr("first_boot.report.write_report", late)
        report(running.machine, 0)
        assert written == [("192.0.2.7", "2001:db8::7"), ()]

    @pytest.mark.parametrize("answer", [[], 5, None, {"users": []}, {"users": [{}]}])
    def test_an_answer_from_another_version(self, running: Box, answer: object) -> None:
        running.answers["welcome"] = answer
        report(running.machine, 0)
        assert "Name: minisip (minisip.local)" in lines(running)

    def test_nothing_steers_a_terminal(self, running: Box) -> None:
        running.answers["status"]["version"] = "1\x1b[2J"
        running.put("/etc/hostname", "a\x1bb\n")
        report(running.machine, 0)
        assert "\x1b" not in "\n".join(lines(running))

    def test_one_that_can_not_be_written_is_an_error(self, running: Box) -> None:
        running.put("/proc/self/mounts", f"/dev/mmcblk0p1 {running.boot} vfat ro 0 0\n")
        running.failing = {"mount"}
        with pytest.raises(OSError, match="read-only"):
            write_report(running.machine, load(running.machine), look(running.machine, 0))  # type: ignore[arg-type]


class TestOneTimePassword:
    def test_it_goes_when_it_was_changed(self, running: Box) -> None:
        state = load(running.machine)
        assert state is not None
        assert state.one_time is not None
        write_issue(running.machine, state)
        report(running.machine, 0)
        assert state.one_time.password in "\n".join(lines(running))
        assert state.one_time.password in running.text(ISSUE)
        running.machine.run("chpasswd", text="pi:my own one\n")
        report(running.machine, 0)
        assert state.one_time.password not in "\n".join(lines(running))
        assert state.one_time.password not in running.text(ISSUE)
        again = load(running.machine)
        assert again is not None
        assert again.one_time is None

    def test_phones_passwords_go_when_they_were_changed(self, running: Box) -> None:
        report(running.machine, 0)
        running.answers["welcome"] = {**WELCOME, "users": WELCOME["users"][1:]}
        report(running.machine, 0)
        text = "\n".join(lines(running))
        assert "first-1" not in text
        assert "first-2" in text


class TestGreeting:
    def test_name_and_addresses_are_agetty_s_to_put_in(self, box: Box) -> None:
        state = box.first_start("[box]\npassword = 'open sesame'\n")
        write_issue(box.machine, state)
        assert box.text(ISSUE) == "miniSIPServer   \\n.local   \\4   \\6\n\n"
        assert box.mode(ISSUE) == 0o600

    def test_chinese_where_it_was_chosen(self, box: Box) -> None:
        state = box.first_start("language = 'zh'\n")
        assert state.one_time is not None
        write_issue(box.machine, state)
        text = box.text(ISSUE)
        assert text.count(state.one_time.password) == 2
        assert f"首次登录：用户 pi，密码 {state.one_time.password}" in text
