"""A provider's questions, asked where a person sits at the terminal."""

import getpass
import sys
from collections.abc import Mapping

from pbx.api.schema import Profile, ProfileAsk
from tui.line_options import meaning
from tui.locale import say
from tui.profile_report import in_language


def answers(profile: Profile, given: Mapping[str, object]) -> dict[str, object]:
    """Return what is given and what else the provider wants, asked on a terminal only.

    Where calls from outside ring is asked, too: no provider knows.

    An empty answer leaves it to the default.
    """
    found = dict(given)
    if not sys.stdin.isatty():
        return found
    for ask in profile.asks:
        if ask.key not in found:
            answer = _asked(ask)
            if answer:
                found[ask.key] = answer
    if "destination" not in found and all(ask.key != "destination" for ask in profile.asks):
        answer = input(f"{meaning('destination')}: ")
        if answer:
            found["destination"] = answer
    return found


def _asked(ask: ProfileAsk) -> str:
    words = in_language(ask.label)
    if ask.default and "{" not in ask.default:
        words = f"{words} [{ask.default}]"
    elif ask.default or ask.optional:
        words = f"{words} ({say('profile-optional')})"
    prompt = f"{words}: "
    return getpass.getpass(prompt) if ask.secret else input(prompt)
