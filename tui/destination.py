"""Whether calls from outside are led to somebody."""

import typer

from pbx.api.client import AsyncClient, Client
from tui.asking import ask
from tui.locale import say

NOBODY = ("unknown", "incomplete")
"""Kinds of a route test's answer by which a number is nobody's."""


def and_whose(ctx: typer.Context, sentence: str, number: str) -> str:
    """Return the sentence, and where `number` is nobody's, that calls are led to nobody.

    Args:
        ctx: of the command.
        sentence: what was done.
        number: the destination of calls from outside; empty for none.
    """
    users = ask(ctx, Client.users) if number else []
    # What leads a user of ours nowhere leads whoever the plan sends there nowhere, too.
    nobody = users and ask(ctx, lambda client: client.route(users[0].number, number)).kind in NOBODY
    return f"{sentence} {say('plan-nobody', number=number)}" if nobody else sentence


async def leads_nowhere(client: AsyncClient, number: str) -> bool:
    """Tell whether `number` is nobody's, as `and_whose` does.

    Raises:
        CommandError: the exchange refused.
        ExchangeUnreachable: it did not answer.
    """
    users = await client.users()
    return bool(users) and (await client.route(users[0].number, number)).kind in NOBODY
