"""How provider profiles look in a terminal."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from pbx.api.schema import Profile, ProfileAsk
from pbx.locale import language
from tui import report
from tui.clean import clean
from tui.locale import say

COMMANDS = {"external-line": "line", "sip-trunk": "trunk"}
"""Which command of `minisip` is for which kind of line."""


def in_language(text: Mapping[str, str]) -> str:
    """Return a text of a profile's in the user's language."""
    return clean(text.get(language(), text.get("en", "")))


def show_profiles(profiles: Sequence[Profile]) -> None:
    """Print providers, one a row."""
    out = report.console()
    table = report.table("column-profile", "column-kind", "column-name")
    for one in profiles:
        table.add_row(clean(one.name), clean(one.kind), in_language(one.title))
    out.print(table)


def show_profile(profile: Profile) -> None:
    """Print what is known of a provider, and what it asks for."""
    out = report.console()
    out.print(Text(in_language(profile.title), style="bold"))
    out.print(say("profile-asks"))
    for ask in profile.asks:
        out.print(f"  {clean(ask.key)}  {question(ask)}", soft_wrap=True)
    if profile.facts:
        out.print(say("profile-facts"))
    for fact in profile.facts:
        out.print(f"  {in_language(fact.says)}", soft_wrap=True)
        source = say("profile-rests-on", source=clean(fact.rests_on))
        out.print(Text(f"    {source}", style="dim"), soft_wrap=True)
    for note in profile.notes:
        out.print(f"  {in_language(note)}", soft_wrap=True)
    out.print(say("profile-rest"), soft_wrap=True)
    asks = [
        f"{ask.key}=..." for ask in profile.asks if not (ask.optional or ask.default or ask.secret)
    ]
    secret = ["--password"] if any(ask.secret for ask in profile.asks) else []
    wanted = clean(" ".join([*asks, *secret]))
    command = COMMANDS.get(profile.kind, "line")
    out.print(
        say("profile-use", command=command, profile=clean(profile.name), asks=wanted),
        soft_wrap=True,
    )


def question(ask: ProfileAsk) -> str:
    """Return what is asked for, and what comes of no answer."""
    words = in_language(ask.label)
    if ask.default:
        return f"{words} ({say('profile-default', value=clean(ask.default))})"
    return f"{words} ({say('profile-optional')})" if ask.optional else words
