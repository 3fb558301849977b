"""The console without a full screen: a numbered menu, a line at a time."""

from collections.abc import Callable
from pathlib import Path

from pbx.api.client import Client, CommandError, ExchangeUnreachable
from tui import report
from tui.line_report import show_lines
from tui.locale import say, translate


def run_menu(socket: Path) -> None:
    """Show the menu until the user leaves it.

    Args:
        socket: the control socket.
    """
    choices: tuple[tuple[str, Callable[[Client], None]], ...] = (
        ("menu-status", lambda client: report.show_status(client.status())),
        ("status-users", lambda client: report.show_users(client.users())),
        ("status-calls", lambda client: report.show_calls(client.calls())),
        ("bind-lines", lambda client: show_lines(client.lines())),
        ("menu-hangup", _hang_up),
    )
    leave = str(len(choices) + 1)
    report.show_sentence(say("shell-plain"))
    while True:
        report.show_sentence("")
        for number, (key, _) in enumerate(choices, 1):
            report.show_sentence(f"{number}  {say(key)}")
        report.show_sentence(f"{leave}  {say('menu-quit')}")
        chosen = _typed(say("menu-choose"))
        if chosen is None or chosen == leave:
            return
        if chosen in {str(number) for number in range(1, len(choices) + 1)}:
            _carry_out(socket, choices[int(chosen) - 1][1])
        elif chosen:
            report.show_sentence(say("menu-no-choice"))


def _carry_out(socket: Path, call: Callable[[Client], None]) -> None:
    try:
        with Client(socket) as client:
            call(client)
    except ExchangeUnreachable as error:
        report.show_sentence(say(error.key, path=error.path))
    except CommandError as error:
        report.show_sentence(translate(error))


def _hang_up(client: Client) -> None:
    calls = client.calls()
    report.show_calls(calls)
    if calls and (call := _typed(say("menu-which-call"))):
        client.hangup(call)
        report.show_sentence(say("call-ended", call=call))


def _typed(prompt: str) -> str | None:
    """Return the line that the user types; None when nobody is there any more."""
    try:
        return input(prompt).strip()
    except (EOFError, OSError):
        return None
