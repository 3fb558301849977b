"""Sentences for whoever builds, in the language of the environment."""

import os
import sys


def tell(english: str, chinese: str) -> None:
    """Write one sentence on standard error."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    chosen = chinese if next(filter(None, names), "").startswith("zh") else english
    sys.stderr.write(f"build.sh: {chosen}\n")
