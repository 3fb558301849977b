"""What authentication needs of a local user."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A user's number, and H(username:realm:password) by an algorithm (RFC 7616 §3.4.2)."""

    number: str
    algorithm: str
    ha1: str
