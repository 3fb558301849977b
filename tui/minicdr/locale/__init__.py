"""What `minicdr` says, beside the sentences of `pbx.locale`."""

from pbx.locale import catalogue, language


def say(key: str, **values: object) -> str:
    """Return the sentence `key` in the language of the environment, with `values` put in."""
    return catalogue(language(), __name__)[key].format(**values)
