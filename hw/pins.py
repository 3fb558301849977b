"""The GPIO pins of a Raspberry Pi, where there are any."""

import os
import sys
import tempfile
import warnings

DEBIAN_PACKAGES = "/usr/lib/python3/dist-packages"
"""Where Debian's python3-lgpio lies, which a virtual environment doesn't see."""


class NoPins(Exception):
    """This machine has no GPIO pins that could be used; the text says why."""


def open_pins() -> None:
    """Make gpiozero ready for its devices.

    ``GPIOZERO_PIN_FACTORY`` chooses another way to the pins, such as ``mock``.

    Raises:
        NoPins: there is no way to them.
    """
    os.environ.setdefault("GPIOZERO_PIN_FACTORY", "lgpio")
    # lgpio makes a pipe in its working folder, which is the root folder for a service.
    os.environ.setdefault("LG_WD", os.environ.get("RUNTIME_DIRECTORY", tempfile.gettempdir()))
    _reach_lgpio()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from gpiozero import Device

            Device.ensure_pin_factory()
    except Exception as error:
        # Each way to the pins has errors of its own: no chip, no right, no board known.
        raise NoPins(str(error) or type(error).__name__) from error


def _reach_lgpio() -> None:
    """Let Debian's lgpio be found where the environment has none: PyPI has none for Python 3.13."""
    try:
        import lgpio  # noqa: F401
    except ImportError:
        # At the end: everything else is to come from the environment.
        if DEBIAN_PACKAGES not in sys.path:
            sys.path.append(DEBIAN_PACKAGES)
