"""What an exchange that nobody has registered with answers to each torture message, and why.

The RFCs speak of parsers, user agents, registrars and proxies; here stands what their words come to
for this exchange: it is a registrar, and to a caller a user agent server that asks who is calling
before it says anything of the number that was called.
"""

from typing import NamedTuple

SILENCE = 0


class Expected(NamedTuple):
    """The final answers to a message.

    Args:
        section: of RFC 4475 or, with 5118 before it, RFC 5118.
        why: what the section wants, in our words.
        udp: the status of each answer to a datagram; none for silence.
        tcp: the same over a stream; None for no difference.
    """

    section: str
    why: str
    udp: tuple[int, ...]
    tcp: tuple[int, ...] | None = None

    def over(self, transport: str) -> list[int]:
        """The statuses over ``udp`` or ``tcp``."""
        return list(self.udp if transport == "udp" or self.tcp is None else self.tcp)


WHO = (407,)
"""Well-formed and taken as any INVITE is: who is it?"""

WHO_REGISTERS = (401,)
"""The same for a REGISTER."""

ASKED = (407,)
"""The same for an OPTIONS to a number, which gets what an INVITE would get (RFC 3261 §11.2)."""

EXPECTED = {
    # --- valid
    "wsinv": Expected("3.1.1.1", "well-formed; of a dialog that isn't there", (481,)),
    "intmeth": Expected("3.1.1.2", "well-formed, of a method that nobody knows", (501,)),
    "esc01": Expected("3.1.1.3", "escapes mean what they stand for", WHO),
    "escnull": Expected("3.1.1.4", "an escaped null is a character of its own", WHO_REGISTERS),
    "esc02": Expected("3.1.1.5", "% in a method is no escape: not REGISTER", (501,)),
    "lwsdisp": Expected("3.1.1.6", "no space is needed before <", ASKED),
    "longreq": Expected("3.1.1.7", "long values are values", WHO),
    "dblreq": Expected(
        "3.1.1.8",
        "what follows the body of a datagram is cut off; in a stream it is the next message, which "
        "has no Contact",
        WHO_REGISTERS,
        (401, 400),
    ),
    "semiuri": Expected("3.1.1.9", "a semicolon may stand in the user part", ASKED),
    "transports": Expected("3.1.1.10", "any transport may stand in a Via", ASKED),
    "mpart01": Expected("3.1.1.11", "a body in parts is no fault", WHO),
    "unreason": Expected("3.1.1.12", "a response, and to nothing that was asked", ()),
    "noreason": Expected("3.1.1.13", "a response, and to nothing that was asked", ()),
    # --- invalid
    "badinv01": Expected("3.1.2.1", "separators too many: 400", (400,)),
    "clerr": Expected(
        "3.1.2.2", "shorter than it says: 400; in a stream the rest is waited for", (400,), ()
    ),
    "ncl": Expected("3.1.2.3", "a negative Content-Length: 400", (400,)),
    "scalar02": Expected("3.1.2.4", "numbers that don't fit: 400", (400,)),
    "scalarlg": Expected("3.1.2.5", "the same in a response: discarded", ()),
    "quotbal": Expected("3.1.2.6", "a quote without its end: 400", (400,)),
    "ltgtruri": Expected("3.1.2.7", "<> around the Request-URI: 400", (400,)),
    "lwsruri": Expected("3.1.2.8", "spaces within the Request-URI: 400", (400,)),
    "lwsstart": Expected("3.1.2.9", "several spaces in the Request-Line: 400", (400,)),
    "trws": Expected("3.1.2.10", "a space behind the Request-Line: 400", (400,)),
    "escruri": Expected("3.1.2.11", "header fields in a Request-URI: 400", (400,)),
    "baddate": Expected("3.1.2.12", "a Date that nobody reads may be wrong", WHO),
    "regbadct": Expected("3.1.2.13", "a Contact with ? but without <>: 400", (400,)),
    "badaspec": Expected("3.1.2.14", "spaces within an address: 400", (400,)),
    "baddn": Expected("3.1.2.15", "a comma in a name without quotes: 400", (400,)),
    "badvers": Expected("3.1.2.16", "a version that nobody knows: 505", (505,)),
    "mismatch01": Expected("3.1.2.17", "two methods in one request: 400", (400,)),
    "mismatch02": Expected("3.1.2.18", "the same, one of them unknown: 400 or 501", (400,)),
    "bigcode": Expected("3.1.2.19", "no status code: discarded", ()),
    # --- transaction layer
    "badbranch": Expected("3.2.1", "the cookie alone is no branch, and matched as RFC 2543", ASKED),
    # --- application layer
    "insuf": Expected("3.3.1", "From, To, Call-ID missing: 400 as far as one can", (400,)),
    "unkscm": Expected("3.3.2", "a scheme that nobody knows: 416", (416,)),
    "novelsc": Expected("3.3.3", "a scheme that isn't SIP's: 416", (416,)),
    "unksm2": Expected("3.3.4", "no registrar has such an address-of-record: 400", (400,)),
    "bext01": Expected("3.3.5", "an extension that we lack: 420", (420,)),
    "invut": Expected("3.3.6", "a body that we can't read: 415", (415,)),
    "regaut01": Expected("3.3.7", "credentials that we can't read: challenged", WHO_REGISTERS),
    "multi01": Expected("3.3.8", "more than one value where one is allowed: 400", (400,)),
    "mcl01": Expected("3.3.9", "two Content-Length: 400", (400,)),
    "bcast": Expected("3.3.10", "a response for somebody else: discarded", ()),
    "zeromf": Expected("3.3.11", "no hop left, and needing none: the user agent answers", ASKED),
    "cparam01": Expected("3.3.12", "a parameter of the Contact", WHO_REGISTERS),
    "cparam02": Expected("3.3.13", "a parameter of the URI in it", WHO_REGISTERS),
    "regescrt": Expected(
        "3.3.14", "a Route within a Contact's URI is kept, not followed", WHO_REGISTERS
    ),
    "sdp01": Expected("3.3.15", "an answer of no kind that we have: 406", (406,)),
    # --- backward compatibility
    "inv2543": Expected(
        "3.4.1",
        "RFC 2543's ways are taken; a stream needs a Content-Length all the same",
        WHO,
        (400,),
    ),
    # --- RFC 5118
    "ipv6-good": Expected("5118 4.1", "valid", WHO_REGISTERS),
    "ipv6-bad": Expected("5118 4.2", "an address without brackets: 400", (400,)),
    "port-ambiguous": Expected(
        "5118 4.3", "what looks like a port is the address's end", WHO_REGISTERS
    ),
    "port-unambiguous": Expected("5118 4.4", "valid", WHO_REGISTERS),
    "via-received-param-with-delim": Expected("5118 4.5", "brackets in received are taken", (481,)),
    "via-received-param-no-delim": Expected(
        "5118 4.5", "the grammar's own form; asked of the exchange itself", (200,)
    ),
    "ipv6-in-sdp": Expected("5118 4.6", "valid", WHO),
    "mult-ip-in-header": Expected("5118 4.7", "valid; of a dialog that isn't there", (481,)),
    "mult-ip-in-sdp": Expected("5118 4.8", "valid", WHO),
    "ipv4-mapped-ipv6": Expected("5118 4.9", "valid", WHO),
    "ipv6-bug-abnf-3-colons": Expected("5118 4.10", "an error of the grammar, taken", ASKED),
    "ipv6-correct-abnf-2-colons": Expected("5118 4.10", "valid", ASKED),
}
