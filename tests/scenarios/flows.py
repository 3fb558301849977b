"""All figures, for players that take what comes again for what it is."""

from dataclasses import dataclass

from tests.scenarios import rfc3665, rfc5359


@dataclass(frozen=True, slots=True)
class Flow:
    """A figure, and what is so before it begins.

    Args:
        figure: its steps.
        unregistered: phones that have not registered.
        natted: phones whose addresses a router translates.
    """

    figure: str
    unregistered: tuple[str, ...] = ()
    natted: tuple[str, ...] = ()


FLOWS = {
    **{
        f"RFC 3665 {title}": Flow(figure, rfc3665.unregistered(title), rfc3665.natted(title))
        for title, figure in rfc3665.FOR_PHONES.items()
    },
    **{f"RFC 5359 {title}": Flow(figure) for title, figure in rfc5359.FIGURES.items()},
}
