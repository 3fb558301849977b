"""What a line's trouble is called, in both languages."""

import pytest

from pbx.lines.back_off import SECONDS, back_off_s
from pbx.lines.state import Trouble
from pbx.locale import LANGUAGES, choose, say

VALUES = {"server": "udp 192.0.2.7:5060", "status": "403", "reason": "No", "why": "refused"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slug", SECONDS)
def test_every_trouble_has_its_sentence_and_what_to_do(slug: str, language: str) -> None:
    choose(language)
    trouble = Trouble(slug, VALUES)
    sentence = trouble.sentence("telco")
    assert "telco" in sentence
    assert "udp 192.0.2.7:5060" in sentence
    assert say(f"remedy-line-{slug}") not in ("", sentence)
    assert trouble.english("telco").startswith("Line telco: ")


@pytest.mark.parametrize("slug", SECONDS)
def test_and_its_time(slug: str) -> None:
    numbers = iter(range(100))
    waits = [back_off_s(Trouble(slug), n, lambda: str(next(numbers))) for n in range(40)]
    first, longest = SECONDS[slug]
    assert first / 2 <= waits[0] <= first
    assert longest / 2 <= waits[-1] <= longest
