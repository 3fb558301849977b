"""Whether users can be reached: the presence event package (RFC 3856)."""

from collections.abc import Callable

from pbx.call.party import address_of
from pbx.registrar import pidf
from pbx.registrar.publications import Publications
from pbx.sip.flow import Flow


class Presence:
    """Composes what is published and what the exchange sees by itself.

    Args:
        reachable: whether a user has a phone that is registered.
        busy: whether a user is in a call.
        publications: what users say of themselves; it comes before what we see.
    """

    name = "presence"
    kind = pidf.KIND
    # RFC 3856 §6.10
    least_s = 5.0
    own_only = False

    def __init__(
        self,
        reachable: Callable[[str], bool],
        busy: Callable[[str], bool],
        publications: Publications,
    ) -> None:
        self._reachable = reachable
        self._busy = busy
        self._publications = publications

    def document(self, number: str, flow: Flow, version: int, *, own: bool) -> bytes:
        """Return a user's presence; arguments as for `DialogInfo.document`."""
        parts = self._publications.of(number) or pidf.own(reachable=self._reachable(number))
        if self._busy(number):
            parts = [*parts, pidf.on_the_phone()]
        return pidf.document(str(address_of(number, flow)), parts)
