"""How the answers of the exchange look in a terminal."""

import datetime
import io
from collections.abc import Iterable, Sequence

import segno
from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pbx.api.schema import (
    CallBack,
    Health,
    Problem,
    RunningCall,
    Sound,
    Status,
    User,
    Welcome,
    WelcomeUser,
)
from tui import problems, symbols
from tui.clean import clean
from tui.locale import reason, say
from tui.symbols import STYLES

PIPE_WIDTH = 400
"""Columns where the output is no terminal: nothing is broken into lines."""

QR_BLOCKS = "█▀▄"
QR_BORDER = 2
QR_STYLE = "bright_white on black"
"""Both colours, so that the code is light on dark on a light terminal too."""

SIP_PORT = "5060"


def console() -> Console:
    """Return the console that writes to the standard output."""
    chosen = Console(highlight=False, markup=False, emoji=False)
    if not chosen.is_terminal:
        chosen = Console(highlight=False, markup=False, emoji=False, width=PIPE_WIDTH)
    return chosen


def duration(seconds: float) -> str:
    """Return a time span as ``h:mm:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def show_sentence(sentence: str) -> None:
    """Print what has been done."""
    console().print(clean(sentence), soft_wrap=True)


def show_status(status: Status) -> None:
    """Print how the exchange is."""
    time = duration(status.uptime_s)
    out = console()
    out.print(
        say("status-title", version=clean(status.version), time=time, pid=status.pid), style="bold"
    )
    print_pairs(
        out,
        [
            (say("status-addresses"), "\n".join(map(clean, status.addresses))),
            *_certificate_pair(status),
            (
                say("status-users"),
                say("users-count", count=status.users, registered=status.users_registered),
            ),
            (
                say("status-calls"),
                say("calls-count", count=status.calls, total=status.calls_total),
            ),
            (say("status-engine"), engine_sentence(status)),
            (say("status-database"), database_sentence(status)),
            *_callback_pair(status),
        ],
    )


def _certificate_pair(status: Status) -> list[tuple[str, str]]:
    if not status.certificate:
        return []
    # In two halves, for a screen of 80 columns.
    pairs = clean(status.certificate).split(":")
    rows = ":".join(pairs[:16]), ":".join(pairs[16:])
    return [(say("status-certificate"), "SHA-256 " + "\n        ".join(filter(None, rows)))]


def _callback_pair(status: Status) -> list[tuple[str, str]]:
    if status.callback is None:
        return []
    return [(say("status-callback"), callback_sentence(status.callback))]


def callback_sentence(callback: CallBack) -> str:
    """Return how the call-back service is."""
    if callback.why:
        return say("callback-failed", port=callback.port, why=reason(callback.why))
    if not callback.address:
        return say("callback-off")
    values = {"address": clean(callback.address), "count": callback.open}
    if not callback.application_server:
        return say("callback-open", **values)
    return say("callback-fine", server=clean(callback.application_server), **values)


def engine_sentence(status: Status) -> str:
    """Return how the media engine is."""
    values = {"pid": status.engine_pid, "free": status.streams_free}
    if not status.engine_pid:
        return say("engine-gone")
    if status.engine_restarts:
        return say("engine-restarted", count=status.engine_restarts, **values)
    return say("engine-fine", **values)


def database_sentence(status: Status) -> str:
    """Return how the database is."""
    kind = clean(status.database)
    if not status.database_ok:
        return say("database-away", kind=kind, count=status.records_waiting)
    return say("database-fine", kind=kind)


def show_health(health: Health) -> None:
    """Print the state in a word, and each problem with what to do about it."""
    console().print(symbols.state(health.state), style="bold")
    show_problems(health)


def show_problems(health: Health) -> None:
    """Print each problem with what to do about it."""
    out = console()
    for problem in health.problems:
        show_problem(out, problem)


def show_problem(out: Console, problem: Problem) -> None:
    """Print a problem with what to do about it."""
    out.print(f"  {problems.sentence(problem)}", soft_wrap=True)
    if remedy := problems.remedy(problem):
        out.print(f"    {remedy}", soft_wrap=True)


def show_users(users: Sequence[User]) -> None:
    """Print the users, each with its phones, a line a phone."""
    out = console()
    if not users:
        out.print(say("no-users"))
        return
    rows = table("column-number", "column-name", "column-state", "column-phone", "column-expires")
    for user in users:
        phones = [f"{one.source}  {one.user_agent}".rstrip() for one in user.contacts]
        expiries = [duration(one.expires_s) for one in user.contacts]
        rows.add_row(
            clean(user.number),
            clean(user.display_name),
            _state(user.state),
            "\n".join(map(clean, phones)),
            "\n".join(expiries),
        )
    out.print(rows)


RIGHTS = (
    *("call_level", "outside_number", "emergency_number"),
    *("most_calls", "most_outgoing", "record", "record_by_code"),
)
"""What `minisip user set` changes, by its names."""


def show_rights(user: User) -> None:
    """Print what a user may do."""
    out = console()
    out.print(Text(clean(f"{user.number} {user.display_name}".rstrip()), style="bold"))
    print_pairs(out, [(name, clean(in_words(getattr(user, name)))) for name in RIGHTS])


def in_words(value: object) -> str:
    """Return a value as it is written after ``NAME=``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    return str(value)


def show_calls(calls: Sequence[RunningCall]) -> None:
    """Print the running calls."""
    out = console()
    if not calls:
        out.print(say("no-calls"))
        return
    rows = table(
        "column-call",
        "column-caller",
        "column-called",
        "column-state",
        "column-since",
        "column-talk",
        "column-codec",
        "column-sound",
    )
    for call in calls:
        rows.add_row(
            clean(call.id),
            clean(call.caller),
            clean(call.called),
            _state(call.state) + (f", {say('call-recorded')}" if call.recording else ""),
            moment(call.since),
            duration(call.talk_s) if call.talk_s else "",
            clean("/".join(filter(None, (call.codec, call.called_codec)))),
            scores(call.caller_sound, call.called_sound),
        )
    out.print(rows)


def scores(*sounds: Sound | None) -> str:
    """Return the mean opinion scores, in brackets what a phone says of its own; empty for none."""
    if not any(sounds):
        return ""
    return "/".join("-" if one is None else _score(one) for one in sounds)


def _score(sound: Sound) -> str:
    return f"{sound.mos:.1f}" + (f" ({sound.heard_mos:.1f})" if sound.heard_mos else "")


def show_welcome(welcome: Welcome) -> None:
    """Print how to register the first phones: addresses, passwords, QR codes."""
    out = console()
    out.print(say("welcome-addresses"), style="bold")
    for address in welcome.addresses:
        out.print(f"  {clean(address)}")
    if not welcome.users:
        out.print()
        out.print(say("welcome-none"))
        return
    for user in welcome.users:
        _show_user(out, user)
    if len(welcome.users) > 1:
        _show_how(out, welcome)


def _show_user(out: Console, user: WelcomeUser) -> None:
    number, password = clean(user.number), clean(user.password)
    out.print()
    out.print(say("welcome-user", number=number, password=password), style="bold")
    if not user.provisioning_url:
        return
    out.print(say("welcome-scan"))
    out.print(clean(user.provisioning_url), soft_wrap=True)
    code = qr_code(user.provisioning_url)
    if _can_show(QR_BLOCKS, out.encoding):
        for line in code:
            # A line for itself: a colour that runs to the margin would spoil the quiet zone.
            out.print(Text(line, style=QR_STYLE), soft_wrap=True)


def _show_how(out: Console, welcome: Welcome) -> None:
    first, second = welcome.users[:2]
    one, other = clean(first.number), clean(second.number)
    transport, server = best_address(welcome.addresses)
    out.print()
    out.print(say("welcome-how"), style="bold")
    print_pairs(
        out,
        [
            (say("welcome-server"), server),
            (say("welcome-transport"), transport),
            (say("welcome-name"), say("welcome-names", first=one, second=other)),
            (
                say("welcome-password"),
                say(
                    "welcome-passwords",
                    first=clean(first.password),
                    first_number=one,
                    second=clean(second.password),
                    second_number=other,
                ),
            ),
            (say("welcome-dial"), say("welcome-call", first=one, second=other)),
        ],
    )


def best_address(addresses: Iterable[str]) -> tuple[str, str]:
    """Return transport and server to type into a phone, out of ``udp 192.0.2.1:5060`` ...

    UDP before TCP, IPv4 before IPv6, the network before loopback: what every phone can do.
    """
    ranked = sorted(
        addresses,
        key=lambda address: (" 127." in address or "[::1]" in address, "[" in address),
    )
    chosen = next((one for one in ranked if one.startswith("udp ")), next(iter(ranked), ""))
    transport, _, server = clean(chosen).partition(" ")
    return transport.upper(), server.removesuffix(f":{SIP_PORT}")


def qr_code(text: str) -> list[str]:
    """Return the lines of a QR code in half blocks, to be shown light on dark."""
    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawn, border=QR_BORDER, compact=True)
    return drawn.getvalue().splitlines()


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def table(*keys: str) -> Table:
    """Return an empty table; `keys` are those of its columns' names in the locale."""
    return named_table(*map(say, keys))


def named_table(*names: str) -> Table:
    """Return an empty table with columns of these names."""
    empty = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        empty.add_column(name, overflow="fold")
    return empty


def print_pairs(out: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values; a value of several lines stays in its column."""
    width = max(cell_len(name) for name, _ in pairs)
    for name, value in pairs:
        first, *more = value.split("\n")
        label = Text(f"  {set_cell_size(name, width)}  ", style="cyan")
        out.print(label + Text(first), soft_wrap=True)
        for line in more:
            out.print(f"{' ' * (width + 4)}{line}", soft_wrap=True)


def _state(state: str) -> Text:
    known = state in STYLES
    return Text(say(f"state-{state}") if known else clean(state), style=STYLES.get(state, ""))


def moment(text: str) -> str:
    """Return an ISO 8601 moment as date and time of day."""
    try:
        return f"{datetime.datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return clean(text)
