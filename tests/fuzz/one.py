"""Fuzz one target with atheris: ``python -m tests.fuzz.one TARGET LIBFUZZER_ARGUMENTS``.

``FUZZ_AGAIN`` names the program by which libFuzzer starts itself again, as it does to merge.
"""

import os
import sys

import atheris

with atheris.instrument_imports(include=["pbx"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until libFuzzer has had enough; it ends the process."""
    atheris.enabled_hooks.add("RegEx")
    target = TARGETS[sys.argv[1]]
    atheris.Setup([os.environ["FUZZ_AGAIN"], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
