"""`minicdr`: where the program starts."""

import signal
import sys


def main() -> None:
    """Run the command line and exit."""
    # Ctrl-C while the modules are loading ends the program without a word, not with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tui.minicdr.commands import run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run())


if __name__ == "__main__":
    main()
