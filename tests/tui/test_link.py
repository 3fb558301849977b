"""What the console knows of the exchange, and how old it is."""

import asyncio
import datetime
from pathlib import Path

from msgspec import structs

from pbx.api.server import ControlServer
from tests.tui.office import NOON, Office
from tui.link import ExchangeLink, Picture

LATER_S = 20.0


async def test_times_are_as_old_as_what_they_are_of(
    doors: ControlServer, folder: Path, office: Office
) -> None:
    """Whatever is fetched later than they are, talk goes on and registrations run out."""
    moment = NOON
    pictures: list[Picture] = []
    more = asyncio.Event()

    def changed() -> None:
        nonlocal moment
        pictures.append(link.picture)
        if len(pictures) == 1:
            moment += datetime.timedelta(seconds=LATER_S)
            (call, *_), (phone,) = office.calls_now, office.phones["100"]
            office.calls_now[0] = structs.replace(call, talk_s=call.talk_s + LATER_S)
            office.phones["100"] = [structs.replace(phone, expires_s=phone.expires_s - LATER_S)]
            office.say("info", "the weather is fine")
        elif len(pictures) == 2:
            more.set()

    link = ExchangeLink(folder / "control.sock", lambda: moment)
    following = asyncio.create_task(link.follow(changed))
    async with asyncio.timeout(60):
        await more.wait()
    following.cancel()
    await asyncio.wait([following])
    assert pictures[-1].log[-1].text == "the weather is fine"
    for picture in pictures:
        talk_s = picture.calls[0].talk_s + (moment - picture.calls_taken).total_seconds()
        assert talk_s == 150.0 + LATER_S
        (phone,) = picture.users[0].contacts
        expires_s = phone.expires_s - (moment - picture.users_taken).total_seconds()
        assert round(expires_s, 1) == 598.4 - LATER_S
