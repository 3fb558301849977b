"""What all programs on the whole screen have in common: no traceback comes onto the terminal."""

import syslog
import traceback

from textual.app import App


class FullScreenApp(App[None]):
    """A program on the whole screen.

    It has no command palette: it offers what its own keys do, and nothing else.
    """

    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        # Said here already: without colours (NO_COLOR) Textual would take shades of grey for the
        # terminal's own, black on black.
        super().__init__(ansi_color=True)
        self.fault: Exception | None = None
        """Our own mistake that ended the program."""

    def show(self) -> None:
        """Run until the user leaves.

        Raises:
            Exception: the program has a fault; the system's log tells where.
        """
        self.run()
        if self.fault is not None:
            syslog.syslog(syslog.LOG_ERR, "".join(traceback.format_exception(self.fault)))
            raise self.fault

    def _handle_exception(self, error: Exception) -> None:
        # Textual has no public way to keep its traceback from the terminal.
        self.fault = self.fault or error
        super()._handle_exception(error)
        self._exit_renderables.clear()
