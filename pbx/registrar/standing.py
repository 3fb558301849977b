"""How who shows credentials stands to the user whose they are, by what has registered before."""

from enum import Enum, auto


class Standing(Enum):
    """What the bindings at a sender's address say of it."""

    PHONE = auto()
    """A phone of that user."""

    NEIGHBOUR = auto()
    """It sends from where that user has a phone, or from a proxy, which has many users' phones."""

    STRANGER = auto()
