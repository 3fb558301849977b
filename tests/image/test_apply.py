"""The first boot and the ones after it, as somebody notices them who has only the card."""

from pathlib import Path

import pytest

from first_boot import network
from first_boot.changed import FILES, STATE, has_changed
from first_boot.machine import overwrite
from first_boot.sources import READERS
from first_boot.state import load
from tests.image.box import Box, hashed, sentences

WIFI = "[wifi]\nssid = 'Home'\npassword = 'open sesame'\n"


class TestWithoutAnySetting:
    def test_pi_gets_a_password_for_one_login(self, box: Box) -> None:
        state = box.start()
        assert state is not None
        once = state.one_time
        assert once is not None
        assert len(once.password.split("-")) == 6
        assert box.password_of("pi") == hashed(once.password)
        # the first login asks for another one
        assert box.ran("chage") == [["-d", "0", "pi"]]
        assert sentences(state) == []

    def test_no_two_boxes_have_the_same(self, tmp_path: Path) -> None:
        passwords = set()
        for number in range(5):
            (tmp_path / str(number)).mkdir()
            state = Box(tmp_path / str(number)).start()
            assert state is not None
            assert state.one_time is not None
            passwords.add(state.one_time.password)
        assert len(passwords) == 5

    def test_a_later_boot_gives_no_second_one(self, box: Box) -> None:
        box.start()
        box.calls.clear()
        assert box.start() is None
        assert box.calls == []

    def test_the_words_are_enough_and_plain(self) -> None:
        import first_boot

        words = (Path(first_boot.__file__).parent / "words.txt").read_text("ascii").split()
        assert len(set(words)) == len(words) >= 256
        assert all(word.isalpha() and word.islower() and len(word) <= 8 for word in words)

    def test_the_box_has_an_id_of_its_own(self, box: Box) -> None:
        box.start()
        first = box.text("/etc/machine-id")
        assert len(first.strip()) == 32
        box.start()
        assert box.text("/etc/machine-id") == first

    def test_the_id_that_systemd_uses_already_stays(self, box: Box) -> None:
        box.put("/run/machine-id", "0123456789abcdef0123456789abcdef\n")
        box.start()
        assert box.text("/etc/machine-id") == "0123456789abcdef0123456789abcdef\n"


class TestLogin:
    def test_a_password(self, box: Box) -> None:
        state = box.first_start("[box]\npassword = 'open: sesame # 1'\n")
        assert box.password_of("pi") == hashed("open: sesame # 1")
        assert state.one_time is None
        assert box.ran("chage") == []
        assert box.on_card("minisip.toml") == '[box]\npassword = "(taken over)"\n'

    def test_it_is_never_an_argument(self, box: Box) -> None:
        box.first_start(
            "[box]\npassword = 'open sesame'\n[wifi]\nssid = 'x'\npassword = 'wifi sesame'\n"
        )
        assert not [call for call, _ in box.calls if "sesame" in " ".join(call)]

    def test_keys_are_added_to_those_that_are_there(self, box: Box) -> None:
        box.put("/home/pi/.ssh/authorized_keys", "ssh-ed25519 old\n")
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvuCqbVUhS5WipKcgG6tmRUUuc me"
        box.first_start(f"[box]\nssh_key = '{key}'\n")
        assert box.text("/home/pi/.ssh/authorized_keys") == f"ssh-ed25519 old\n{key}\n"

    def test_a_refused_password_leaves_nobody_outside(self, box: Box) -> None:
        state = box.first_start("[box]\npassword = 'short'\n")
        assert state.one_time is not None
        assert state.login == "pi"

    def test_a_program_that_fails_is_told(self, box: Box) -> None:
        box.failing = {"chpasswd"}
        state = box.first_start("[box]\npassword = 'open sesame'\n")
        assert sentences(state)[0] == "chpasswd failed: chpasswd: something is wrong."
        assert state.one_time is None


class TestNetwork:
    def test_wifi(self, box: Box) -> None:
        assert sentences(box.first_start(WIFI)) == []
        lines = box.text(network.WIFI).splitlines()
        assert lines[lines.index("ssid=Home") : lines.index("psk=open sesame") + 1] == [
            "ssid=Home",
            "",
            "[wifi-security]",
            "key-mgmt=wpa-psk",
            "psk=open sesame",
        ]
        assert lines.count("method=auto") == 2
        assert box.mode(network.WIFI) == 0o600

    def test_open_wifi(self, box: Box) -> None:
        box.first_start("[wifi]\nssid = 'Home'\n")
        assert "wifi-security" not in box.text(network.WIFI)

    @pytest.mark.parametrize(
        "name",
        [
            "evil\n[ipv4]\nmethod=manual",
            "65;66;",
            "a;b",
            "\\n",
            " x",
            "x ",
            "$(reboot)",
            "中文",
            "12",
            "#x",
        ],
    )
    def test_any_name_is_only_a_name(self, box: Box, name: str) -> None:
        box.first_start(f"[wifi]\nssid = {name!r}\n".replace("'", '"'))
        lines = box.text(network.WIFI).splitlines()
        (ssid,) = (line.removeprefix("ssid=") for line in lines if line.startswith("ssid="))
        assert bytes(map(int, ssid.rstrip(";").split(";"))).decode() == name
        assert lines.count("[ipv4]") == 1
        assert "method=manual" not in lines

    def test_a_password_with_what_keyfiles_escape(self, box: Box) -> None:
        box.first_start("[wifi]\nssid = 'x'\npassword = '  a\\b;c#d \"e'\n")
        assert 'psk=\\s\\sa\\\\b;c#d "e\n' in box.text(network.WIFI)

    def test_a_fixed_address_of_the_cable(self, box: Box) -> None:
        box.first_start(
            "[network]\naddress = '192.168.1.5/24'\ngateway = '192.168.1.1'\ndns = ['9.9.9.9', '::2']\n".replace(
                "'::2'", "'2620:fe::fe'"
            )
        )
        text = box.text(network.WIRED)
        assert "[ipv4]\nmethod=manual\naddress1=192.168.1.5/24,192.168.1.1\ndns=9.9.9.9;\n" in text
        assert "[ipv6]\nmethod=auto\ndns=2620:fe::fe;\n" in text


class TestPlace:
    def test_language(self, box: Box) -> None:
        assert sentences(box.first_start("language = 'zh'\n")) == []
        assert box.text("/etc/locale.conf") == "LANG=zh_CN.UTF-8\n"
        assert box.text("/etc/default/locale") == "LANG=zh_CN.UTF-8\n"

    def test_debian_13_has_one_file_and_a_link(self, box: Box) -> None:
        (box.root / "etc/default").mkdir()
        (box.root / "etc/default/locale").symlink_to("../locale.conf")
        box.first_start("language = 'zh'\n")
        assert (box.root / "etc/default/locale").is_symlink()

    def test_what_the_box_does_not_have(self, box: Box) -> None:
        state = box.first_start("[box]\ntimezone = 'Mars/Olympus'\nlocale = 'de_DE.UTF-8'\n")
        assert sentences(state) == [
            "The box does not have the locale de_DE.UTF-8; the language was left as it was.",
            "The box does not know the time zone Mars/Olympus; it was left as it was.",
        ]
        assert not box.has("/etc/localtime")

    def test_the_country_of_wifi_alone_says_nothing_of_emergency_numbers(self, box: Box) -> None:
        # Raspberry Pi Imager sets one where nobody has chosen any
        box.first_start("[wifi]\nssid = 'x'\npassword = '12345678'\ncountry = 'GB'\n")
        assert not box.has("/home/pi/.minisipserver/first-country")

    def test_country(self, box: Box) -> None:
        box.first_start("[box]\ncountry = 'de'\n")
        assert box.text("/home/pi/.minisipserver/first-country") == "DE\n"
        assert "ieee80211_regdom=DE\n" in box.text("/etc/modprobe.d/minisip-wifi.conf")


class TestChangedLater:
    def test_a_new_name(self, box: Box) -> None:
        box.first_start(f"[box]\npassword = 'open sesame'\n{WIFI}")
        text = box.on_card("minisip.toml")
        assert text.count("(taken over)") == 2
        box.write("minisip.toml", text.replace("[box]", "[box]\nhostname = 'attic'"))
        state = box.start()
        assert sentences(state) == []
        assert box.text("/etc/hostname") == "attic\n"
        # what had been taken over stays
        assert box.password_of("pi") == hashed("open sesame")
        assert "psk=open sesame\n" in box.text(network.WIFI)
        assert state is not None
        assert state.one_time is None

    def test_another_wifi_needs_its_password(self, box: Box) -> None:
        box.first_start(WIFI)
        box.write("minisip.toml", box.on_card("minisip.toml").replace("Home", "Away"))
        (only,) = sentences(box.start())
        assert only.startswith("The password of the Wi-Fi network Away is not on the box")
        assert "ssid=Home" in box.text(network.WIFI)

    def test_wifi_taken_out_is_gone(self, box: Box) -> None:
        box.first_start(WIFI)
        box.write("minisip.toml", "# none\n")
        assert sentences(box.start()) == []
        assert not box.has(network.WIFI)

    @pytest.mark.parametrize("text", [None, "[wifi\n", "[wifi]\nssid = 5\n"])
    def test_a_lost_or_broken_file_strands_nobody(self, box: Box, text: str | None) -> None:
        box.first_start(WIFI)
        if text is None:
            (box.boot / "minisip.toml").unlink()
        else:
            box.write("minisip.toml", text)
        box.start()
        assert "ssid=Home" in box.text(network.WIFI)

    def test_a_new_password(self, box: Box) -> None:
        box.first_start("[box]\npassword = 'open sesame'\n")
        box.write("minisip.toml", "[box]\npassword = 'closed sesame'\n")
        box.start()
        assert box.password_of("pi") == hashed("closed sesame")
        assert "closed" not in box.on_card("minisip.toml")

    def test_a_password_changed_on_the_box_stays(self, box: Box) -> None:
        box.first_start("[box]\npassword = 'open sesame'\n")
        box.machine.run("chpasswd", text="pi:my own one\n")
        box.write("minisip.toml", box.on_card("minisip.toml") + "hostname = 'attic'\n")
        box.start()
        assert box.password_of("pi") == hashed("my own one")


class TestAnythingNew:
    """What every later boot asks first."""

    @pytest.fixture
    def started(self, box: Box) -> Box:
        box.put("/proc/cmdline", "ro\n")
        box.first_start(WIFI)
        return box

    @staticmethod
    def new(box: Box) -> bool:
        """Whether this boot has something to do."""
        state, command_line = (str(box.root / name) for name in (STATE[1:], "proc/cmdline"))
        return has_changed(state, str(box.boot), command_line)

    def test_nothing(self, started: Box) -> None:
        assert not self.new(started)

    def test_the_first_boot(self, box: Box) -> None:
        assert self.new(box)

    def test_every_file_counts(self, started: Box) -> None:
        assert tuple(READERS) == FILES
        for name in FILES:
            before = (started.boot / name).read_bytes() if (started.boot / name).exists() else None
            started.write(name, "# new\n")
            assert self.new(started), name
            if before is None:
                (started.boot / name).unlink()
            else:
                (started.boot / name).write_bytes(before)
            assert not self.new(started)

    def test_a_file_that_is_gone(self, started: Box) -> None:
        (started.boot / "minisip.toml").unlink()
        assert self.new(started)

    def test_imager_s_command_line(self, started: Box) -> None:
        started.put("/proc/cmdline", "ro systemd.run=/boot/firstrun.sh\n")
        assert self.new(started)

    def test_a_broken_memory(self, started: Box) -> None:
        started.put(STATE, "[]")
        assert self.new(started)


class TestTrouble:
    def test_a_power_cut_before_the_secrets_are_blanked(
        self, box: Box, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class PowerCut(BaseException):
            pass

        def cut(*_: object) -> None:
            raise PowerCut

        with monkeypatch.context() as patch:
            patch.setattr("first_boot.apply.overwrite", cut)
            with pytest.raises(PowerCut):
                box.first_start(f"[box]\npassword = 'open sesame'\n{WIFI}")
        assert "open sesame" in box.on_card("minisip.toml")
        state = box.start()
        assert sentences(state) == []
        assert "open sesame" not in box.on_card("minisip.toml")
        assert "psk=open sesame\n" in box.text(network.WIFI)

    def test_a_power_cut_after_it(self, box: Box) -> None:
        box.first_start(
            f"[box]\npassword = 'open sesame'\n{WIFI}[[user]]\nnumber = '200'\npassword = 'secret-1'\n"
        )
        users = box.text("/home/pi/.minisipserver/first-users.json")
        (box.root / STATE.lstrip("/")).unlink()
        state = box.start()
        assert sentences(state) == []
        assert state is not None
        assert state.one_time is None
        assert "psk=open sesame\n" in box.text(network.WIFI)
        assert box.text("/home/pi/.minisipserver/first-users.json") == users

    def test_a_card_that_can_not_be_written(
        self, box: Box, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        box.put("/proc/self/mounts", f"/dev/mmcblk0p1 {box.boot} vfat ro,relatime 0 0\n")
        box.failing = {"mount"}
        state = box.first_start(WIFI)
        (only,) = sentences(state)
        assert only == (
            "The boot partition could not be written to (the boot partition is read-only); "
            "passwords still stand in its files."
        )
        assert "psk=open sesame\n" in box.text(network.WIFI)

    def test_it_is_writable_for_the_writing_alone(self, box: Box) -> None:
        box.put("/proc/self/mounts", f"/dev/mmcblk0p1 {box.boot} vfat ro,relatime 0 0\n")
        box.first_start(WIFI)
        modes = [one[1] for one in box.ran("mount")]
        assert modes == ["remount,rw", "remount,ro"]

    def test_a_fault_in_one_step_spares_the_others(self, box: Box) -> None:
        (box.root / "etc/hostname").unlink()
        (box.root / "etc/hostname").mkdir()
        state = box.first_start(f"[box]\nhostname = 'attic'\n{WIFI}")
        assert sentences(state)[0].startswith("The step 'place' failed: ")
        assert "ssid=Home" in box.text(network.WIFI)
        assert state.one_time is not None

    def test_a_box_without_pi(self, box: Box) -> None:
        box.put("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        box.failing = {"useradd", "chpasswd", "usermod"}
        state = box.first_start("[sip]\nport = 5070\n[[user]]\nnumber = '200'\n")
        assert "The box has no user pi." in sentences(state)

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", '{"notes": 5}', '{"notes": [{}], "one_time": 7}']
    )
    def test_a_broken_memory_is_a_first_boot(self, box: Box, text: str) -> None:
        box.put(STATE, text)
        assert load(box.machine) is None
        assert box.start() is not None

    def test_the_memory_is_for_root_alone(self, box: Box) -> None:
        box.start()
        assert box.mode(STATE) == 0o600

    def test_no_old_octet_stays_behind_a_shorter_text(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"a long secret")
        seen = []
        with file.open("rb") as watcher:
            overwrite(file, b"short")
            watcher.seek(0)
            seen.append(watcher.read())
        assert (file.read_bytes(), seen) == (b"short", [b"short"])
