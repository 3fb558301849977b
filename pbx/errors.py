"""The two roots of every error: the peer's fault and ours."""

from collections.abc import Mapping
from types import MappingProxyType


class PeerError(Exception):
    """A peer sent what no rule allows; carries the answer to give it.

    The only exception that parsers and state machines raise on bad input (RFC 3261 §21.4, §21.5).

    Args:
        status: the SIP status code to answer with.
        reason: the reason phrase, in words that the peer's operator can act on.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class MisuseError(Exception):
    """Our own code called something in a state that forbids it: a bug, never caught."""


class StartError(Exception):
    """The exchange cannot start; the sentence is for the person who started it.

    Args:
        sentence: one clear sentence, already in that person's language.
        exit_code: the process's exit status (sysexits.h where one fits).
    """

    def __init__(self, sentence: str, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.exit_code = exit_code


class CommandError(Exception):
    """A command of a person or of the control API cannot be carried out.

    Args:
        code: a stable slug, such as ``unknown-user``; clients translate by it.
        sentence: the same in plain English.
        values: what stands in the sentence beside its own words.
    """

    def __init__(
        self, code: str, sentence: str, values: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.values = values
