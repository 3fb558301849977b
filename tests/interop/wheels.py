"""Libraries that a test may do without where nobody offers them built."""

import platform
import sys

import pytest


def needs_pjsua2() -> None:
    """Skip the test where pjsua2 has no wheel; elsewhere it is to be there, and its lack a failure.

    It would have to be compiled together with PJSIP, which CI's other machines have no time for.
    """
    if sys.version_info >= (3, 12) or platform.machine() != "x86_64":
        pytest.skip("pjsua2 has wheels for Python 3.11 on x86-64 alone")
