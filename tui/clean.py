"""Foreign text made fit for a terminal."""


def clean(text: str) -> str:
    """Return `text` without what would steer the terminal: phones choose their own names."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
