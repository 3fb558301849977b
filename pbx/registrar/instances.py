"""Which bindings a Contact replaces: user agent instances (RFC 5626 §6, RFC 3261 §10.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pbx.call.leg import Target
from pbx.errors import PeerError
from pbx.registrar.binding import Binding
from pbx.sip.grammar import parse_digits
from pbx.sip.headers import STAR, NameAddr, format_params
from pbx.sip.message import Request
from pbx.sip.next_hop import Way
from pbx.sip.uri import equivalent, parse_uri

_OWN = frozenset({"expires", "q", "pub-gruu", "temp-gruu"})
"""Contact parameters whose values in an answer are the registrar's."""

_MOST_PARAMS = 1000
"""Characters of feature parameters that are kept; who sends more keeps instance and flow alone."""

_MOST_INSTANCE = 200
"""Characters of an instance-id; a URN of a UUID has 47."""

_HIGHEST_REG_ID = 2**31 - 1
"""RFC 5626 §9: reg-id is a number from 1 to this."""


def instance_of(contact: NameAddr) -> str:
    """Return a Contact's ``+sip.instance`` (RFC 5626 §4.1), with its brackets; '' for none."""
    value = contact.param("+sip.instance") or ""
    return value if value.isprintable() and len(value) <= _MOST_INSTANCE else ""


def reg_id_of(contact: NameAddr, request: Request) -> int:
    """Return the flow number of a Contact (RFC 5626 §4.2); 0 where there is no flow to be kept.

    The flow is between us and the phone itself, or a proxy that keeps one to it and says so by
    ``ob`` in its Path URI (§6). Without an instance, or without ``Supported: outbound``, the
    registration is an ordinary one.

    Raises:
        PeerError: 439 where a proxy before us keeps none; 400 for a reg-id that is no number.
    """
    text = contact.param("reg-id")
    if text is None or "outbound" not in {tag.lower() for tag in request.all("Supported")}:
        return 0
    if not _flow_is_kept(request):
        if _knows_no_439(request):
            return 0
        # "if the REGISTER request contains the reg-id and the outbound option tag in a Supported
        # header field, then the registrar MUST respond [...] with a 439" (§6)
        raise PeerError(439, "First Hop Lacks Outbound Support")
    if not instance_of(contact):
        return 0
    number = parse_digits(text, _HIGHEST_REG_ID)
    if not number or number > _HIGHEST_REG_ID:
        raise PeerError(400, "Bad reg-id")
    return number


def keeps_flow(request: Request) -> bool:
    """Whether a REGISTER, which has been carried out, names a flow: its answer says so then."""
    contacts = request.contacts
    return contacts is not STAR and any(reg_id_of(one, request) for one in contacts)


def is_first_hop(request: Request) -> bool:
    """Whether a request has come from the phone itself, by no proxy."""
    return len(request.all("Via")) == 1


def _knows_no_439(request: Request) -> bool:
    """PJSIP up to 2.15: it asks for flows over TCP and TLS of itself, and after a 439 never
    registers again."""
    agent = (request.get("User-Agent") or "").lower()
    return "pjsip" in agent or "pjsua" in agent


def _flow_is_kept(request: Request) -> bool:
    if is_first_hop(request):
        return True
    path = request.all("Path")
    return bool(path) and ";ob" in path[-1].replace(" ", "").lower()


def features_of(contact: NameAddr) -> str:
    """Return the header parameters of a Contact that its answers carry (RFC 3840 §6), as text."""
    kept = tuple((name, value) for name, value in contact.params if name.lower() not in _OWN)
    text = format_params(kept)
    if len(text) > _MOST_PARAMS or not text.isprintable():
        kept = tuple(one for one in kept if one[0].lower() in ("+sip.instance", "reg-id"))
        text = format_params(kept)
    return text if len(text) <= _MOST_PARAMS and text.isprintable() else ""


def replaced_by(
    bindings: Iterable[Binding], contact: NameAddr, reg_id: int, call_id: str
) -> list[Binding]:
    """Return the bindings in whose place a Contact is stored.

    Args:
        bindings: a user's.
        contact: from a REGISTER.
        reg_id: its flow's number, see `reg_id_of`.
        call_id: the REGISTER's.
    """
    instance = instance_of(contact)

    def same(old: Binding) -> bool:
        if reg_id and old.reg_id:
            return (old.instance, old.reg_id) == (instance, reg_id)
        if equivalent(parse_uri(old.uri), contact.uri):
            # §10.3 step 7, §19.1.4
            return True
        # The same phone after a restart: from another port, and with a Call-ID of its own. A phone
        # that registers two addresses at once does so within one REGISTER, or one Call-ID.
        return bool(instance) and old.instance == instance and old.call_id != call_id

    return [old for old in bindings if same(old)]


def left_behind(bindings: Sequence[Binding], newest: Binding) -> Binding | None:
    """Return the oldest binding that a phone without an instance-id has probably left behind.

    Such a phone comes back from another port after each restart. What makes it the same phone is
    what it calls itself, and the host that it speaks from.

    Args:
        bindings: a user's, the oldest first.
        newest: what is to be stored; it and what else its REGISTER names are no leftovers.
    """
    for old in bindings:
        if (
            old.user_agent == newest.user_agent != ""
            and old.flow.remote.host == newest.flow.remote.host
            and not old.instance
            and old.call_id != newest.call_id
        ):
            return old
    return None


def targets(bindings: Iterable[Binding]) -> list[Target]:
    """Return the phones of a user: one target for each, whatever number of flows it keeps.

    RFC 5626 §7: not more than one flow of an instance is tried at a time; the newest comes first,
    and the others are ways to go on to.
    """
    phones: dict[object, list[Binding]] = {}
    for binding in bindings:
        phone = (binding.instance, binding.q) if binding.reg_id else id(binding)
        phones.setdefault(phone, []).insert(0, binding)
    found = []
    for newest, *others in phones.values():
        ways = tuple(Way(one.uri, one.flow, one.route) for one in (two.target for two in others))
        found.append(replace(newest.target, ways=ways))
    return found
