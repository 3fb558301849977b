"""Raspberry Pi Imager's files, old and new: what a person chose there, the box has."""

import pytest

from first_boot import network
from tests.image.box import SAMPLES, Box, sentences

HASH = "$5$Hs0FfHSPiZ$yz0eZ5AmlXgTwGx9lTY4pvMhEGWgk1Z8tqkLZk0Tn49"
PSK = "d7a1dc06cd4e0a1f7a2c5a8a3e9bb6e7f07b31b8f2c5ab1d06cf6f9fe9a0c3b4"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvuCqbVUhS5WipKcgG6tmRUUuc/XRpWhejEPRUJ7EMY alice@pc"
SSID = "".join(f"{octet};" for octet in "Bob's Café".encode())


def assert_alice_has_all(box: Box) -> None:
    assert box.text("/etc/hostname") == "front-desk\n"
    assert ["front-desk"] in box.ran("hostname")
    assert "127.0.1.1\tfront-desk\n" in box.text("/etc/hosts")
    assert (box.root / "etc/localtime").readlink().as_posix() == "/usr/share/zoneinfo/Europe/Berlin"
    assert box.password_of("alice") == HASH
    assert box.text("/home/alice/.ssh/authorized_keys") == f"{KEY}\n"
    assert box.mode("/home/alice/.ssh") == 0o700
    assert box.mode("/home/alice/.ssh/authorized_keys") == 0o600
    groups = next(one for one in box.ran("usermod") if one[-1] == "alice")
    assert {"sudo", "minisip"} <= set(groups[groups.index("-G") + 1].split(","))
    wifi = box.text(network.WIFI).splitlines()
    assert f"ssid={SSID}" in wifi
    assert f"psk={PSK}" in wifi
    assert "hidden=true" in wifi
    assert box.mode(network.WIFI) == 0o600
    assert ["reg", "set", "DE"] in box.ran("iw")


def assert_pi_is_as_it_was(box: Box) -> None:
    assert box.password_of("pi") == "!"
    assert "pi:x:" in box.text("/etc/passwd")
    assert not [one for one in box.ran("usermod") if "-l" in one]


class TestImager2:
    def test_everything(self, box: Box) -> None:
        box.sample("user-data", "network-config")
        state = box.start()
        assert sentences(state) == []
        assert_alice_has_all(box)
        assert_pi_is_as_it_was(box)
        assert state is not None
        assert (state.login, state.one_time) == ("alice", None)
        assert box.text("/etc/ssh/sshd_config.d/10-minisip.conf").startswith(
            "PasswordAuthentication yes\n"
        )

    def test_the_secrets_leave_the_card_and_nothing_else(self, box: Box) -> None:
        box.sample("user-data", "network-config")
        box.start()
        assert box.on_card("user-data") == (SAMPLES / "user-data").read_text().replace(
            HASH, '"(taken over)"'
        )
        assert box.on_card("network-config") == (SAMPLES / "network-config").read_text().replace(
            PSK, "(taken over)"
        )

    def test_the_next_boot_has_nothing_to_do(self, box: Box) -> None:
        box.sample("user-data", "network-config")
        box.start()
        box.calls.clear()
        assert box.start() is None
        assert box.calls == []

    def test_our_own_empty_user_data(self, box: Box) -> None:
        from tests.image.test_preset import DEFAULT

        (box.boot / "user-data").write_bytes((DEFAULT.parent / "user-data").read_bytes())
        state = box.start()
        assert sentences(state) == []
        assert state is not None
        assert state.one_time is not None

    def test_an_address_by_hand(self, box: Box) -> None:
        box.write(
            "network-config",
            """
version: 2
ethernets:
  eth0:
    addresses: [192.168.1.5/24, "2001:db8::5/64"]
    routes: [{to: default, via: 192.168.1.1}, {to: 10.0.0.0/8, via: 192.168.1.9}]
    nameservers: {addresses: [192.168.1.1, "2001:db8::1"]}
""",
        )
        assert sentences(box.start()) == []
        lines = box.text(network.WIRED).split("\n")
        assert "address1=192.168.1.5/24,192.168.1.1" in lines
        assert "address1=2001:db8::5/64" in lines
        assert "dns=192.168.1.1;" in lines
        assert "dns=2001:db8::1;" in lines

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("users: [\n", "user-data, line 2, column 1: this is not YAML"),
            ("a: b: c\n", "user-data, line 1, column 5: this is not YAML"),
            ("x: 2020-99-99\n", "this is not YAML"),
            ('"\\ud800": 1\n', "\N{REPLACEMENT CHARACTER} is not used on this box"),
            ("hostname: {2024-01-01: x}\n", "hostname: {datetime.date(2024, 1, 1): 'x'} should"),
            ("write_files: [{path: /etc/shadow}]\n", "write_files is not used on this box"),
            ("hostname: my box\n", "hostname: 'my box' is no host name"),
            (
                "users:\n- name: root\n  passwd: $5$abcdefgh$abcdefgh\n",
                "root belongs to the system",
            ),
            ("users:\n- name: www-data\n  passwd: $5$abcdefgh$abcdefgh\n", "www-data belongs"),
            ("users:\n- name: console\n  passwd: $5$abcdefgh$abcdefgh\n", "console belongs"),
            ("users:\n- name: x;reboot\n", "'x;reboot' is no user name"),
            ("users:\n- name: bob\n  passwd: secret\n", "this is no hash of a password"),
        ],
    )
    def test_what_is_wrong_is_told(self, box: Box, text: str, sentence: str) -> None:
        box.write("user-data", text)
        (only,) = sentences(box.start())
        assert sentence in only

    @pytest.mark.parametrize(
        "text", ["", "- a\n- b\n", "users: alice\n", "users:\n- default\n", "{}"]
    )
    def test_strange_but_harmless(self, box: Box, text: str) -> None:
        box.write("user-data", text)
        state = box.start()
        assert state is not None
        assert state.one_time is not None


class TestFirstrun:
    def test_everything(self, box: Box) -> None:
        box.sample("firstrun.sh")
        state = box.start()
        assert sentences(state) == []
        assert_alice_has_all(box)
        assert_pi_is_as_it_was(box)
        # alice's key alone opens SSH: that is what Imager's choice means
        assert box.text("/etc/ssh/sshd_config.d/10-minisip.conf").startswith(
            "PasswordAuthentication no\n"
        )

    def test_it_is_never_run(self, box: Box) -> None:
        box.sample("firstrun.sh")
        box.start()
        programs = {call[0] for call, _ in box.calls}
        assert programs == {"hostname", "iw", "useradd", "usermod", "chpasswd"}

    def test_no_secret_stays_in_it(self, box: Box) -> None:
        box.sample("firstrun.sh")
        box.start()
        text = (SAMPLES / "firstrun.sh").read_text()
        assert box.on_card("firstrun.sh") == text.replace(HASH, "(taken over)").replace(
            PSK, "(taken over)"
        )

    def test_the_box_starts_as_itself(self, box: Box) -> None:
        ours = "console=serial0,115200 root=PARTUUID=6d736970-02 ro rootwait"
        theirs = (
            " systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot"
            " systemd.unit=kernel-command-line.target"
        )
        box.sample("firstrun.sh")
        box.write("cmdline.txt", ours + theirs + "\n")
        box.start()
        assert box.on_card("cmdline.txt") == f"{ours}\n"

    def test_another_script(self, box: Box) -> None:
        box.write("firstrun.sh", "#!/bin/sh\nuseradd mallory\nimager_custom set_hostname 'half\n")
        (only,) = sentences(box.start())
        assert only == "firstrun.sh was not run, and nothing in it was recognised as a setting."
        assert box.ran("useradd") == []

    def test_only_a_key(self, box: Box) -> None:
        box.write(
            "firstrun.sh",
            f"/usr/lib/raspberrypi-sys-mods/imager_custom enable_ssh -k '{KEY}'\n"
            "/usr/lib/userconf-pi/userconf 'pi' ''\n",
        )
        state = box.start()
        assert sentences(state) == []
        assert box.text("/home/pi/.ssh/authorized_keys") == f"{KEY}\n"
        # there is no password to ask for
        assert box.text("/etc/sudoers.d/010_minisip-pi") == "pi ALL=(ALL) NOPASSWD: ALL\n"
        assert box.mode("/etc/sudoers.d/010_minisip-pi") == 0o440
        assert state is not None
        assert state.one_time is None


class TestOlder:
    @pytest.mark.parametrize("name", ["userconf.txt", "userconf"])
    def test_userconf(self, box: Box, name: str) -> None:
        box.write(name, f"pi:{HASH}\n")
        assert sentences(box.start()) == []
        assert box.password_of("pi") == HASH
        assert box.on_card(name) == "pi:(taken over)\n"

    @pytest.mark.parametrize("text", ["", "pi", "pi:secret\nroot:secret", ":", "pi:"])
    def test_a_broken_userconf_lets_in_with_a_one_time_password(self, box: Box, text: str) -> None:
        box.write("userconf.txt", text)
        state = box.start()
        assert state is not None
        assert state.one_time is not None
        assert [line for _, line in box.calls if "root" in line] == []

    def test_half_a_character_in_the_networks_name(self, box: Box) -> None:
        box.sample("user-data", "network-config")
        text = box.on_card("network-config")
        assert '"Bob\'s Café"' in text
        box.write("network-config", text.replace('"Bob\'s Café"', '"\\ud800"'))
        (sentence,) = sentences(box.start())
        assert "has a code in it that is no character" in sentence
        # and the other file counts
        assert box.password_of("alice") == HASH

    @pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000])
    def test_a_number_without_end(self, box: Box, number: str) -> None:
        box.sample("user-data")
        box.write("network-config", f"version: {number}\n{number}: 1\n")
        (sentence,) = sentences(box.start())
        assert sentence.startswith("network-config")
        assert box.password_of("alice") == HASH

    @pytest.mark.parametrize("form", ["[{}]", "{{<<: [{}]}}"], ids=["list", "merge"])
    def test_aliases_without_end(self, box: Box, form: str) -> None:
        box.sample("user-data")
        text = "a0: &a0 {x: y}\n"
        for level in range(30):
            text += f"a{level + 1}: &a{level + 1} {form.format(f'*a{level}, *a{level}')}\n"
        box.write("network-config", text)
        (sentence,) = sentences(box.start())
        assert sentence.startswith("network-config: what its aliases (*name) stand for is too much")
        assert box.password_of("alice") == HASH

    def test_an_alias_stands_for_what_it_names(self, box: Box) -> None:
        box.write(
            "user-data",
            f"users:\n- &user {{name: ann, passwd: {HASH}}}\n- {{<<: *user, name: bob}}\n",
        )
        assert sentences(box.start()) == []
        assert box.password_of("ann") == box.password_of("bob") == HASH
        assert HASH not in box.on_card("user-data")

    def test_wpa_supplicant(self, box: Box) -> None:
        box.sample("wpa_supplicant.conf")
        assert sentences(box.start()) == []
        lines = box.text(network.WIFI).splitlines()
        assert "ssid=My network" in lines
        assert "psk=open sesame 1" in lines
        assert 'psk="(taken over)"' in box.on_card("wpa_supplicant.conf")

    def test_minisip_toml_stands_before_them(self, box: Box) -> None:
        box.sample("user-data", "network-config", "wpa_supplicant.conf")
        box.write(
            "minisip.toml",
            "[box]\nhostname = 'attic'\npassword = 'open sesame'\n[wifi]\nssid = 'Attic'\npassword = '12345678'\n",
        )
        box.start()
        assert box.text("/etc/hostname") == "attic\n"
        assert "ssid=Attic" in box.text(network.WIFI)
        # and what it doesn't say, the others may
        assert box.password_of("alice") == HASH
        assert "Europe/Berlin" in box.text("/etc/timezone")
