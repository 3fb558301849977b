"""Reads what older versions of Raspberry Pi Imager leave on the FAT partition.

`firstrun.sh` is a script that Raspberry Pi OS runs as root. It is read here, never run: it would
rename the account that the exchange runs as. What it says stands in commands with a known form.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence

from first_boot import checks
from first_boot.boot_text import TAKEN_OVER, BootText, Span
from first_boot.wishes import Account, Reading, Taker, Wifi, Wishes

FIRSTRUN = "firstrun.sh"
USERCONF = ("userconf.txt", "userconf")
WPA_SUPPLICANT = "wpa_supplicant.conf"

_NETWORK = re.compile(r"^\s*network\s*=\s*\{(.*?)^\s*\}", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(
    r"^\s*(\w+)\s*=\s*(\"(?P<quoted>.*)\"|(?P<bare>[^\s#]+))[ \t\r]*$", re.MULTILINE
)
_PROGRAM = re.compile(r"\s*\S*/(imager_custom|userconf)\s")
_COUNTRY = re.compile(r"^\s*country\s*=\s*\"?([A-Za-z]{2})\"?\s*$", re.MULTILINE)


def read_userconf(source: BootText, name: str) -> Reading:
    """Return the account in ``userconf.txt``: a line ``name:hash``."""
    taker = Taker(name)
    line = source.text.strip()
    login, separator, digest = line.partition(":")
    if not separator:
        taker.note("userconf-broken")
        return Reading(notes=tuple(taker.notes))
    account = _account(taker, login, digest)
    wishes = Wishes(accounts=(account,) if account else ())
    return Reading(
        wishes, tuple(taker.notes), _blank(source, account.password_hash if account else "")
    )


def read_wpa_supplicant(source: BootText) -> Reading:
    """Return the first network in ``wpa_supplicant.conf``."""
    taker = Taker(WPA_SUPPLICANT)
    found = _COUNTRY.search(source.text)
    networks = _NETWORK.findall(source.text)
    if len(networks) > 1:
        taker.note("wifi-only-one")
    wifi = _network(taker, networks[0]) if networks else None
    wishes = Wishes(country=found[1].upper() if found else None, wifi=wifi)
    return Reading(wishes, tuple(taker.notes), _blank(source, wifi.password if wifi else ""))


def read_firstrun(source: BootText) -> Reading:
    """Return what ``firstrun.sh`` would set: name, account, keys, Wi-Fi, time zone."""
    taker = Taker(FIRSTRUN)
    commands = dict(_commands(source.text))
    if not commands:
        taker.note("firstrun-unknown")
        return Reading(notes=tuple(taker.notes))

    def first(program: str, check: Callable[[object], str]) -> str | None:
        """The first argument of a program, where it is called and the argument is good."""
        arguments = commands.get(program)
        return taker.take(program, arguments[0], check) if arguments else None

    ssh = commands.get("enable_ssh", [])
    keys = [word for word in ssh if not word.startswith("-")]
    login, digest, *_ = [*commands.get("userconf", []), "pi", ""]
    account = _account(taker, login, digest, keys)
    wifi, country = _wlan(taker, commands.get("set_wlan", []))
    wishes = Wishes(
        hostname=first("set_hostname", checks.hostname),
        timezone=first("set_timezone", checks.timezone),
        country=country or first("set_wlan_country", checks.country),
        accounts=(account,) if account else (),
        ssh_password=False if {"-k", "--key-only"} & set(ssh) and keys else None,
        wifi=wifi,
    )
    secrets = {account.password_hash if account else "", wifi.password if wifi else ""}
    return Reading(wishes, tuple(taker.notes), _blank(source, *secrets))


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what Raspberry Pi OS's own programs are called with, as the shell would read it."""
    for line in text.splitlines():
        if not _PROGRAM.match(line):
            continue
        try:
            program, *words = shlex.split(line)
        except ValueError:
            # a quote without its end: it is none of Imager's lines
            continue
        if program.endswith("/userconf"):
            yield "userconf", words
        elif words:
            yield words[0], words[1:]


def _account(taker: Taker, login: str, digest: str, keys: Sequence[str] = ()) -> Account | None:
    name = taker.take("userconf", login, checks.login_name)
    hashed = taker.take("userconf", digest, checks.password_hash) if digest else ""
    taken = taker.take("enable_ssh", list(keys), checks.ssh_keys) if keys else ()
    if name is None or not (hashed or taken):
        return None
    return Account(name, password_hash=hashed or "", ssh_keys=taken or ())


def _wlan(taker: Taker, arguments: Sequence[str]) -> tuple[Wifi | None, str | None]:
    """Return network and country of ``set_wlan [-h] [-p] SSID [PASS [COUNTRY]]``."""
    words = [word for word in arguments if word not in ("-h", "--hidden", "-p", "--plain")]
    if not words:
        return None, None
    ssid, password, country, *_ = [*words, "", ""]
    hidden = bool({"-h", "--hidden"} & set(arguments))
    return (
        _wifi(taker, ssid, password, hidden=hidden),
        taker.take("set_wlan", country, checks.country) if country else None,
    )


def _network(taker: Taker, block: str) -> Wifi | None:
    fields = {
        found[1]: found["bare"] if found["quoted"] is None else found["quoted"]
        for found in _FIELD.finditer(block)
    }
    return _wifi(
        taker, fields.get("ssid", ""), fields.get("psk", ""), hidden=fields.get("scan_ssid") == "1"
    )


def _wifi(taker: Taker, ssid: str, password: str, *, hidden: bool) -> Wifi | None:
    name = taker.take("ssid", ssid, checks.ssid)
    key = taker.take("psk", password, checks.wifi_password)
    return None if name is None or key is None else Wifi(name, key, hidden)


def _blank(source: BootText, *secrets: str) -> BootText | None:
    """Return the text with these secrets blanked, wherever they stand; quotes stay around them."""
    wanted = [secret for secret in secrets if secret not in ("", TAKEN_OVER)]
    written = {form for secret in wanted for form in (secret, shlex.quote(secret).strip("'"))}
    if not written:
        return None
    pattern = re.compile(
        "|".join(re.escape(form) for form in sorted(written, key=len, reverse=True))
    )
    return source.replaced(
        Span(*found.span(), TAKEN_OVER) for found in pattern.finditer(source.text)
    )
