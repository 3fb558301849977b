"""What the forms of lines say of a destination that is nobody's."""

from tui.clean import clean
from tui.destination import leads_nowhere
from tui.link import ExchangeLink
from tui.locale import say


async def doubt_destination(link: ExchangeLink, number: str) -> str:
    """Return that calls from outside would get to nobody; empty where they get to somebody.

    Raises:
        CommandError: the exchange refused.
        ExchangeUnreachable: it did not answer.
    """
    nobody = bool(number) and await link.ask(lambda client: leads_nowhere(client, number))
    return clean(say("form-nobody", number=number)) if nobody else ""
