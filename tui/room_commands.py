"""`minisip rooms` and `minisip room`: who is in conference rooms, and how the others hear them."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from pbx.api.client import Client
from pbx.api.schema import Room, RoomMember
from tui import report
from tui.asking import Json, ask, show
from tui.clean import clean
from tui.locale import say
from tui.usage import TranslatedCommand, TranslatedGroup

app = typer.Typer(
    cls=TranslatedGroup,
    help=say("help-room"),
    no_args_is_help=True,
    options_metavar=say("metavar-options"),
    subcommand_metavar=say("metavar-command"),
)

RoomNumber = Annotated[
    str, typer.Argument(metavar=say("metavar-room"), help=say("help-room-number"))
]
Member = Annotated[str, typer.Argument(metavar=say("metavar-member"), help=say("help-room-member"))]


def rooms(ctx: typer.Context, json: Json = False) -> None:
    """List the conference rooms and who is in them."""
    show(ask(ctx, Client.rooms), json, _show)


@app.command("mute", help=say("help-room-mute"), cls=TranslatedCommand)
def mute(ctx: typer.Context, room: RoomNumber, member: Member, json: Json = False) -> None:
    """Let the others hear a member no more."""
    _do(ctx, lambda client: client.mute(room, member), "room-muted", room, member, json)


@app.command("unmute", help=say("help-room-unmute"), cls=TranslatedCommand)
def unmute(ctx: typer.Context, room: RoomNumber, member: Member, json: Json = False) -> None:
    """Let the others hear a member again."""
    _do(ctx, lambda client: client.unmute(room, member), "room-unmuted", room, member, json)


@app.command(
    "gain",
    help=say("help-room-gain"),
    cls=TranslatedCommand,
    # -6 is no option
    context_settings={"ignore_unknown_options": True},
)
def gain(
    ctx: typer.Context,
    room: RoomNumber,
    member: Member,
    gain_db: Annotated[
        str, typer.Argument(metavar=say("metavar-gain"), help=say("help-room-gain-db"))
    ],
    json: Json = False,
) -> None:
    """Let the others hear a member louder, or less loud."""

    def set_gain(client: Client) -> None:
        client.set_gain(room, member, gain_db)

    _do(ctx, set_gain, "room-gain", room, member, json, gain_db)


@app.command("remove", help=say("help-room-remove"), cls=TranslatedCommand)
def remove(ctx: typer.Context, room: RoomNumber, member: Member, json: Json = False) -> None:
    """End the call of a member."""
    _do(ctx, lambda client: client.remove_member(room, member), "room-removed", room, member, json)


def _do(
    ctx: typer.Context,
    what: Callable[[Client], None],
    key: str,
    room: str,
    member: str,
    json: bool,
    gain_db: str = "",
) -> None:
    ask(ctx, what)
    sentence = say(key, room=room, member=member, gain=gain_db)
    show(None, json, lambda _: report.show_sentence(sentence))


def _show(rooms: Sequence[Room]) -> None:
    out = report.console()
    if not rooms:
        out.print(say("no-rooms"))
        return
    rows = report.table(
        "column-room",
        "column-number",
        "column-name",
        "column-since",
        "column-state",
        "column-gain",
        "column-level",
        "column-call",
    )
    for room in rooms:
        for number, one in enumerate(room.members):
            rows.add_row(
                "" if number else _title(room),
                clean(one.number),
                clean(one.name),
                report.moment(one.since),
                _state(one),
                f"{one.gain_db:+g} dB" if one.gain_db else "",
                "" if one.level_dbov is None else f"{one.level_dbov} dBov",
                clean(one.call),
            )
    out.print(rows)


def _title(room: Room) -> str:
    return clean(room.room) + (f", {say('room-locked')}" if room.locked else "")


def _state(member: RoomMember) -> str:
    words = []
    if member.muted:
        words.append(say("member-muted"))
    if member.speaks:
        words.append(say("member-speaks"))
    return ", ".join(words)
