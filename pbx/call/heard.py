"""How the others of a conference room hear a party."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """How the others hear a party.

    Args:
        muted: not at all, while it hears them.
        gain_db: how much louder than it speaks, as `protocol.Voice` has it.
    """

    muted: bool = False
    gain_db: float = 0.0


ALIKE = Heard()
"""As everybody begins: as loud as it speaks."""
