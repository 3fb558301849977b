"""What the softphone says, beside the sentences of `pbx.locale` and the words of `tui.usage`."""

from pbx.locale import catalogue, language


def say(key: str, **values: object) -> str:
    """Return the sentence `key` in the language spoken, with `values` put in."""
    return catalogue(language(), __name__)[key].format(**values)
