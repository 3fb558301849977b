"""How the exchange starts, and what it says where it can't."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pbx import __version__
from pbx.__main__ import main
from pbx.errors import StartError
from pbx.locale import choose
from pbx.ops.machine import Machine
from tests.app.conftest import NewDaemon, NewPhone
from tests.app.daemon import Daemon
from tests.app.phone import Phone
from tests.interop.ports import Ports

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    """Runs `python -m pbx` to its end; it must end by itself."""

    def run(*argv: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "pbx", *argv],
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def refusal(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    """Return the one sentence of an exchange that didn't start."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    *_, last = done.stderr.splitlines()
    assert done.stderr.count("minisipserver-cli: ") == 1
    assert last.startswith("minisipserver-cli: ")
    return last.removeprefix("minisipserver-cli: ")


@pytest.fixture
def daemon(new_daemon: NewDaemon) -> Daemon:
    """An exchange that isn't started: its folder and settings."""
    return new_daemon()


class TestRefusals:
    """One sentence, an exit code, nothing left behind."""

    @pytest.mark.parametrize("kind", ["UDP", "TCP"])
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_port_in_use(self, run: Run, daemon: Daemon, kind: str, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(
            family, socket.SOCK_DGRAM if kind == "UDP" else socket.SOCK_STREAM
        ) as other:
            other.bind((host, daemon.port))
            if kind == "TCP":
                other.listen()
            said = refusal(run("--data-dir", str(daemon.folder)), 69)
        where = f"[::1]:{daemon.port}" if ":" in host else f"127.0.0.1:{daemon.port}"
        assert said == f"The {kind} port {where} is in use by another program."
        assert daemon.processes() == {}

    def test_in_chinese(self, run: Run, daemon: Daemon) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", daemon.port))
            done = run("--data-dir", str(daemon.folder), LC_ALL="", LANG="zh_CN.UTF-8")
        said = refusal(done, 69)
        assert "端口" in said
        assert "in use" not in said

    def test_the_setting_decides_over_the_environment(self, run: Run, daemon: Daemon) -> None:
        daemon.configure(top='language = "zh"')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", daemon.port))
            assert "端口" in refusal(run("--data-dir", str(daemon.folder)), 69)

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("[sip\nport = 1", "minisip.toml"),
            ("[sip]\nprot = 5060", "sip.prot"),
            ("[sip]\nport = '5060'", "sip.port"),
            ("[sip]\nport = 99999", "sip.port"),
            ("database = 'oracle://x'", "database"),
            ("control_socket = '" + "x" * 200 + "'", "control_socket"),
            ("\0", "minisip.toml"),
        ],
    )
    def test_wrong_settings(self, run: Run, daemon: Daemon, text: str, named: str) -> None:
        (daemon.folder / "minisip.toml").write_text(text)
        for more in ((), ("--check-config",)):
            assert named in refusal(run("--data-dir", str(daemon.folder), *more), 78)

    def test_settings_that_are_not_there(self, run: Run, daemon: Daemon) -> None:
        missing = daemon.folder / "other.toml"
        done = run("--data-dir", str(daemon.folder), "--config", str(missing))
        assert str(missing) in refusal(done, 78)

    def test_settings_that_are_a_folder(self, run: Run, daemon: Daemon) -> None:
        done = run("--data-dir", str(daemon.folder), "--config", str(daemon.folder))
        assert "directory" in refusal(done, 78)

    def test_file_in_place_of_the_data_folder(self, run: Run, daemon: Daemon) -> None:
        file = daemon.folder / "file"
        file.touch()
        assert str(file) in refusal(run("--data-dir", str(file)), 73)
        assert str(file) in refusal(run("--data-dir", str(file / "below")), 73)

    def test_file_in_place_of_the_records_folder(self, run: Run, daemon: Daemon) -> None:
        (daemon.folder / "cdr").touch()
        assert str(daemon.folder) in refusal(run("--data-dir", str(daemon.folder)), 73)

    def test_data_folder_that_nobody_can_write_to(self, run: Run) -> None:
        # Not even root makes files there.
        assert "/proc" in refusal(run("--data-dir", "/proc"), 73)

    def test_broken_database(self, run: Run, daemon: Daemon) -> None:
        (daemon.folder / "minisip.db").write_bytes(b"no database" * 1000)
        assert "minisip.db" in refusal(run("--data-dir", str(daemon.folder)), 74)

    def test_socket_path_too_long(self, run: Run, daemon: Daemon) -> None:
        folder = daemon.folder / ("x" * 100)
        folder.mkdir()
        (daemon.folder / "minisip.toml").rename(folder / "minisip.toml")
        assert "--data-dir" in refusal(run("--data-dir", str(folder)), 78)
        assert daemon.processes() == {}

    def test_two_exchanges_on_one_folder(self, run: Run, daemon: Daemon) -> None:
        daemon.start()
        said = refusal(run("--data-dir", str(daemon.folder)), 75)
        assert str(daemon.pid) in said
        daemon.assert_sane()
        assert daemon.stop() == 0

    def test_control_socket_of_another(self, run: Run, daemon: Daemon, ports: Ports) -> None:
        daemon.start()
        other = Daemon(ports, top=f'control_socket = "{daemon.folder}/control.sock"')
        said = refusal(run("--data-dir", str(other.folder)), 69)
        assert "control.sock" in said
        assert other.processes() == {}
        other.close()
        daemon.assert_sane()

    def test_no_address_of_ours(self, run: Run, daemon: Daemon) -> None:
        settings = daemon.folder / "minisip.toml"
        text = settings.read_text().replace('["127.0.0.1", "::1"]', '["203.0.113.7"]')
        settings.write_text(text)
        assert "address" in refusal(run("--data-dir", str(daemon.folder)), 69)

    def test_media_ports_of_others(self, run: Run, daemon: Daemon) -> None:
        taken = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(10)]
        for number, end in enumerate(taken):
            end.bind(("", daemon.first_rtp + 2 * number))
        said = refusal(run("--data-dir", str(daemon.folder)), 70)
        assert "media engine" in said
        assert daemon.processes() == {}
        for end in taken:
            end.close()


class TestUnreadable:
    """A data folder of another user; root sees no such thing, so the test is somebody else."""

    @pytest.mark.parametrize("more", [[], ["--check-config"]])
    def test_one_sentence(
        self, daemon: Daemon, more: list[str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        # Once before, for what is imported on the way may lie where root alone can read.
        assert main(["--data-dir", str(daemon.folder), "--check-config"]) == 0
        daemon.folder.chmod(0o000)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            code = main(["--data-dir", str(daemon.folder), *more])
        finally:
            if root:
                os.seteuid(0)
            daemon.folder.chmod(0o700)
        assert code == 78
        said = capfd.readouterr().err
        assert str(daemon.folder) in said
        assert "Traceback" not in said
        assert len(said.splitlines()) == 1


class TestPlatform:
    """What it runs on."""

    @pytest.mark.parametrize("machine", ["aarch64", "x86_64"])
    @pytest.mark.parametrize("python", [(3, 11), (3, 12), (3, 13)])
    def test_supported(self, machine: str, python: tuple[int, int]) -> None:
        Machine("Linux", "6.12", machine, 64, python).check()

    @pytest.mark.parametrize(
        ("system", "machine", "bits", "python", "named"),
        [
            ("Darwin", "x86_64", 64, (3, 11), "Darwin"),
            ("Windows", "x86_64", 64, (3, 11), "Windows"),
            ("Linux", "armv7l", 64, (3, 11), "armv7l"),
            ("Linux", "i686", 64, (3, 11), "i686"),
            ("Linux", "riscv64", 64, (3, 11), "riscv64"),
            ("Linux", "aarch64", 32, (3, 11), "32"),
            ("Linux", "x86_64", 32, (3, 11), "32"),
            ("Linux", "x86_64", 64, (3, 10), "3.10"),
            ("Linux", "x86_64", 64, (3, 14), "3.14"),
        ],
    )
    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_unsupported(
        self,
        system: str,
        machine: str,
        bits: int,
        python: tuple[int, int],
        named: str,
        language: str,
    ) -> None:
        choose(language)
        with pytest.raises(StartError) as caught:
            Machine(system, "6.12", machine, bits, python).check()
        assert named in caught.value.sentence
        assert caught.value.exit_code == 69

    def test_old_python_hears_it_before_anything_fails_to_import(self) -> None:
        pretend = (
            "import runpy, sys; sys.version_info = (3, 10, 0); sys.modules['tomllib'] = None;"
            "runpy.run_module('pbx', run_name='__main__')"
        )
        done = subprocess.run(
            [sys.executable, "-c", pretend], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 69
        assert done.stderr.splitlines() == [
            "minisipserver-cli: miniSIPServer needs Python 3.11, 3.12 or 3.13; this is Python 3.10."
        ]


class TestCommandLine:
    """What can be asked without starting."""

    def test_version(self, run: Run) -> None:
        done = run("--version")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"miniSIPServer {__version__}\n"

    def test_good_settings(self, run: Run, daemon: Daemon) -> None:
        done = run("--data-dir", str(daemon.folder), "--check-config")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "The settings are good.\n"
        assert [path.name for path in daemon.folder.iterdir()] == ["minisip.toml"]

    def test_a_service_with_an_emergency_number(self, run: Run, daemon: Daemon) -> None:
        """Nobody is to set it; but whose file has had it since before it was refused has telephones."""
        daemon.configure(more='[services]\necho = "112"')
        done = run("--data-dir", str(daemon.folder), "--check-config")
        sentence = "services.echo is '112', which is an emergency number in every country."
        assert sentence in refusal(done, 78)
        daemon.start()
        assert "services.echo is off: 112 is an emergency number in every country" in daemon.log
        with daemon.client() as client:
            (problem,) = (one for one in client.health().problems if one.slug == "service-off")
        assert problem.values == {"setting": "services.echo", "number": "112"}
        assert daemon.stop() == 0

    def test_a_country_whose_tones_are_not_known(self, daemon: Daemon) -> None:
        """It has a voice all the same, and its owner reads why it isn't the country's."""
        path = daemon.folder / "minisip.toml"
        path.write_text(path.read_text().replace("[media]", '[media]\ncountry = "VN"'))
        daemon.start()
        assert "media.country: the tones of VN are not known" in daemon.log
        assert daemon.stop() == 0

    def test_no_settings_at_all_are_good(self, run: Run, tmp_path: Path) -> None:
        done = run("--data-dir", str(tmp_path / "none"), "--check-config")
        assert done.returncode == 0
        assert not (tmp_path / "none").exists()

    def test_wrong_argument(self, run: Run) -> None:
        done = run("--no-such-thing")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


class TestMariaDb:
    """The database never gates the start."""

    @staticmethod
    def _url(port: int) -> str:
        return f'database = "mysql://user:password@127.0.0.1:{port}/minisip"'

    def test_nobody_answers(self, new_daemon: NewDaemon, new_phone: NewPhone, ports: Ports) -> None:
        daemon = new_daemon(top=self._url(ports.one()))
        daemon.start()
        assert new_phone(daemon, "100").options() == 200
        assert not daemon.status().database_ok
        passwords = daemon.passwords()
        assert daemon.stop() == 0
        daemon.start()
        assert daemon.passwords() == passwords
        assert len(daemon.users()["100"].contacts) == 1
        daemon.assert_sane()
        assert daemon.stop() == 0

    def test_it_is_reached_and_says_nothing(self, new_daemon: NewDaemon, ports: Ports) -> None:
        """With the local copy of the users nobody waits for it."""
        daemon = new_daemon(top=self._url(ports.one()))
        daemon.start()
        passwords = daemon.passwords()
        assert daemon.stop() == 0
        with socket.create_server(("127.0.0.1", 0)) as silent:
            daemon.configure(top=self._url(silent.getsockname()[1]))
            daemon.start()
            silent.settimeout(10)
            asked, _ = silent.accept()
            with asked:
                # Still waiting for an answer, and has begun all the same
                asked.setblocking(False)
                with pytest.raises(BlockingIOError):
                    asked.recv(1)
            phone = Phone(daemon.port, "101", passwords["101"])
            assert phone.register().status == 200
            phone.close()
            assert daemon.stop() == 0
