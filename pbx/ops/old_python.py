"""Refuses a Python that is too old for all the rest, in words that Python 3.6 can read, too."""

import os
import re
import sys
from pathlib import Path


def refuse_python(program: str) -> None:
    """End the process with exit code 69 and a sentence: this Python can't import the exchange.

    Args:
        program: who says so.
    """
    # The catalogue as `pbx.locale` reads it, which such a Python can't: it has no tomllib.
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    spoken = next((os.environ[name] for name in names if os.environ.get(name)), "")
    language = "zh" if spoken.lower().startswith("zh") else "en"
    text = (Path(__file__).parents[1] / "locale" / (language + ".toml")).read_text("utf-8")
    (sentence,) = re.findall('(?m)^wrong-python = "(.*)"$', text)
    version = ".".join(map(str, sys.version_info[:2]))
    sys.stderr.write(program + ": " + sentence.format(version=version) + "\n")
    sys.exit(69)
