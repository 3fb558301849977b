"""The options of a line that the console offers, and what fields are called there."""

from tui.clean import clean
from tui.line_report import OPTION
from tui.locale import say, sentences

OFFERED = (
    *("server", "domain"),
    *("proxy", "transport"),
    *("user", "auth_name"),
    *("password", "destination"),
    *("number_format", "uri_form"),
    *("country", "area"),
    *("caller_number", "identity"),
    *("dtmf", "prack"),
    *("most_incoming", "most_outgoing"),
    *("most", "codecs"),
    *("peers", "expires_s"),
    *("contact_address", "sdp_address"),
    *("record", "max_duration_s"),
    "description",
)
"""Two a row. What few lines need is left to `minisip line set`."""

CHOICES = {
    "transport": ("", "udp", "tcp", "tls"),
    "uri_form": ("", "sip", "phone", "tel"),
    "number_format": ("dialled", "+e164", "e164", "00", "national", "local"),
    "identity": ("none", "pai", "ppi", "rpid"),
    "prack": ("off", "supported", "required"),
    "dtmf": ("auto", "rfc4733", "info", "inband"),
    "record": ("off", "all", "incoming", "outgoing"),
}
"""Options with a few values; the exchange has the last word on them."""

_IN_A_FORM = {"password": "hint-password", "destination": "hint-destination"}
"""What is said of options otherwise than by `minisip line options`."""


def title(name: str) -> str:
    """Return what people call an option; of one that this version doesn't know, its name."""
    return sentences().get(f"field-{name}", clean(name))


def meaning(name: str) -> str:
    """Return what `minisip line options` says of an option, or what the console does of it."""
    return say(_IN_A_FORM.get(name, f"{OPTION}{name}"))
