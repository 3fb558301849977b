"""What can be wrong with a datagram."""


class Unreadable(Exception):
    """It is no message of the call-back service."""


class BadRequest(Exception):
    """A message lacks something, or a value can't be: in a word, with hyphens."""
