"""The carriers' stand-ins with somebody else's subscriber: what they demand is what they say."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.carriers import steps
from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.ims import Ims, Subscription
from tests.carriers.odd import OddCarrier
from tests.carriers.side_door import SideDoor
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports

pytestmark = pytest.mark.interop

TONE_HZ = 440.0
"""What the subscriber plays, and hears again from the far end."""

FAR = "127.0.0.23"
CALLED = "+4930123456"


USER, DOMAIN = "+4930555", "carrier.invalid"

NewPhone = Callable[..., PjsuaTalker]


@pytest.fixture
def subscription() -> Subscription:
    return Subscription()


def test_ims(tmp_path: Path, ports: Ports, closing: ExitStack, subscription: Subscription) -> None:
    """PJSIP registers by the proxy, and calls and is called, with sound both ways."""
    text = steps.carrier(*steps.demanding("Supported:", "100rel", "421 X"), *steps.reliable())
    far = OddCarrier(tmp_path, ports, text, closing, address=FAR, name="far")
    ims = Ims(tmp_path / "ims", ports, subscription, far.host)
    closing.callback(ims.close)
    phone = PjsuaTalker(
        tmp_path / "pjsua",
        ports,
        number=subscription.user,
        password=subscription.password,
        server=ims.proxy,
        tone_hz=TONE_HZ,
        transport="tcp",
        lasting=True,
        domain=subscription.domain,
        auth_name=subscription.auth_name,
        proxy=f"sip:{ims.proxy};transport=tcp;lr",
    )
    closing.callback(phone.close)
    phone.command(do="dial", uri=f"sip:{CALLED}@{subscription.domain};user=phone", headers={})
    phone.wait_heard(1, TONE_HZ, 1.0)
    invite = far.got("INVITE").message
    assert invite.get("p-asserted-identity") == f"<sip:{subscription.user}@{subscription.domain}>"
    assert int(invite.get("session-expires").partition(";")[0]) >= 1200
    phone.command(do="hangup", call=1)
    far.got("BYE")
    # The other way, to another number of the line's
    calling = far.call(subscription.second, steps.calling(), server=ims.registrar)
    phone.wait("incoming", 2)
    phone.answer(2)
    phone.wait_heard(2, TONE_HZ, 1.0)
    calling.finish()
    assert f"P-Called-Party-ID: <sip:{subscription.second}@{subscription.domain}" in phone.log()


@pytest.fixture
def new_subscriber(tmp_path: Path, ports: Ports, closing: ExitStack) -> NewPhone:
    """Return a function that starts PJSIP's phone as a subscriber of a server."""

    def start(server: str, *, answer: int = 200, **more: Any) -> PjsuaTalker:
        phone = PjsuaTalker(
            tmp_path / "pjsua",
            ports,
            number=USER,
            password="secret",
            server=server,
            tone_hz=TONE_HZ,
            expecting=answer,
            domain=DOMAIN,
            proxy=f"sip:{server};lr",
            **more,
        )
        closing.callback(phone.close)
        return phone

    return start


NewCarrier = Callable[..., OddCarrier]


def _talk(phone: PjsuaTalker, carrier: OddCarrier, uri: str) -> None:
    phone.command(do="dial", uri=uri, headers={})
    phone.wait_heard(1, TONE_HZ, 0.5)
    phone.command(do="hangup", call=1)
    carrier.got("BYE")


def _refused(phone: PjsuaTalker, uri: str, status: int, call: int = 1) -> None:
    phone.command(do="dial", uri=uri, headers={})
    ended = phone.wait("state", "DISCONNECTED")
    assert (ended["call"], ended["status"]) == (call, status)


def test_full_uri_as_the_name_in_credentials(
    new_carrier: NewCarrier, new_subscriber: NewPhone
) -> None:
    full = f"{USER}@{DOMAIN}"
    text = steps.carrier(
        *steps.challenging(name=full), *steps.answering(), registering=steps.registrar(name=full)
    )
    carrier = new_carrier(text)
    phone = new_subscriber(carrier.host, auth_name=full)
    _talk(phone, carrier, f"sip:{CALLED}@{DOMAIN}")


def test_who_has_the_user_alone_is_refused(
    new_carrier: NewCarrier, new_subscriber: NewPhone
) -> None:
    full = f"{USER}@{DOMAIN}"
    carrier = new_carrier(steps.carrier(registering=steps.registrar(name=full)))
    new_subscriber(carrier.host, answer=403)


@pytest.mark.parametrize(
    ("regexp", "right", "wrong"),
    [
        ("tel:", f"tel:{CALLED}", f"sip:{CALLED}@{DOMAIN}"),
        ("sip:[^ ]*;user=phone", f"sip:{CALLED}@{DOMAIN};user=phone", f"sip:{CALLED}@{DOMAIN}"),
    ],
    ids=["tel", "phone"],
)
def test_the_request_uri_that_is_demanded(
    new_carrier: NewCarrier, new_subscriber: NewPhone, regexp: str, right: str, wrong: str
) -> None:
    text = steps.carrier(
        *steps.demanding("INVITE", regexp, "484 Address Incomplete"),
        *steps.answering(),
        registering=steps.registrar(),
    )
    carrier = new_carrier(text)
    phone = new_subscriber(carrier.host)
    _refused(phone, wrong, 484)
    phone.command(do="dial", uri=right, headers={})
    phone.wait_heard(2, TONE_HZ, 0.5)


def test_405_to_the_prack(new_carrier: NewCarrier, new_subscriber: NewPhone) -> None:
    text = steps.carrier(
        *steps.demanding("Supported:", "100rel", "421 Extension Required"),
        *steps.reliable("405 Method Not Allowed"),
        registering=steps.registrar(),
    )
    carrier = new_carrier(text)
    phone = new_subscriber(carrier.host)
    phone.command(do="dial", uri=f"sip:{CALLED}@{DOMAIN}", headers={})
    carrier.got("PRACK")
    carrier.got("ACK")


def test_the_contact_of_the_200_is_elsewhere(
    new_carrier: NewCarrier, new_subscriber: NewPhone, ports: Ports, closing: ExitStack
) -> None:
    port, door_port = ports.one(), ports.one()
    text = steps.carrier(*steps.taken(), *steps.answering(), registering=steps.registrar())
    text = text.replace("@[local_ip]:[contact_port]", f"@127.0.0.32:{door_port}")
    carrier = new_carrier(text, port=port)
    door = SideDoor(carrier.host, door_port)
    closing.callback(door.close)
    phone = new_subscriber(carrier.host)
    phone.command(do="dial", uri=f"sip:{CALLED}@{DOMAIN}", headers={})
    phone.wait_heard(1, TONE_HZ, 0.5)
    carrier.got("ACK")
    # The proxy is no Record-Route's, and so in no route of the dialog's
    assert door.passed == ["ACK"]


@pytest.mark.parametrize("status", [403, 503])
def test_a_registrar_that_refuses(
    new_carrier: NewCarrier, new_subscriber: NewPhone, status: int
) -> None:
    carrier = new_carrier(
        steps.carrier(registering=steps.refused(f"{status} No", "Retry-After: 2"))
    )
    new_subscriber(carrier.host, answer=status)


def test_a_registrar_that_is_silent(new_carrier: NewCarrier, new_subscriber: NewPhone) -> None:
    carrier = new_carrier(steps.carrier(registering=steps.silent()))
    new_subscriber(carrier.host, answer=0)
    first, second = carrier.got("REGISTER"), carrier.got("REGISTER", 2)
    assert first.message.data == second.message.data


def test_a_registrar_that_answers_from_another_address(
    new_carrier: NewCarrier, new_subscriber: NewPhone, ports: Ports, closing: ExitStack
) -> None:
    carrier = new_carrier(steps.carrier(registering=steps.registrar()))
    door = SideDoor(carrier.host, ports.one(), answers_from="127.0.0.33")
    closing.callback(door.close)
    new_subscriber(door.host)
    assert door.passed == ["REGISTER", "REGISTER"]


def test_a_call_that_requires_preconditions(
    new_carrier: NewCarrier, new_subscriber: NewPhone
) -> None:
    """RFC 3312; PJSIP knows none."""
    carrier = new_carrier(steps.carrier(registering=steps.registrar()))
    phone = new_subscriber(carrier.host)
    text = steps.calling("Require: precondition", body=steps.PRECONDITIONS, refused="420")
    carrier.call(USER, text, server=phone.own).finish()


def test_asterisk_with_a_subscriber(
    tmp_path: Path, ports: Ports, closing: ExitStack, new_subscriber: NewPhone
) -> None:
    carrier = AsteriskCarrier(tmp_path / "asterisk", ports, name=USER)
    closing.callback(carrier.close)
    phone = new_subscriber(carrier.host)
    phone.command(do="dial", uri=f"sip:{CALLED}@{DOMAIN}", headers={})
    phone.wait_heard(1, TONE_HZ, 0.5)
    phone.command(do="hangup", call=1)
    call = carrier.call(CALLED)
    phone.wait("incoming", 2)
    carrier.wait_state(call, "Up")
    phone.wait_heard(2, TONE_HZ, 0.5)


def test_asterisk_as_the_peer_of_a_trunk(
    tmp_path: Path, ports: Ports, closing: ExitStack, new_subscriber: NewPhone
) -> None:
    port = ports.block(2)
    carrier = AsteriskCarrier(tmp_path / "asterisk", ports, name="trunk", peer=f"127.0.0.1:{port}")
    closing.callback(carrier.close)
    # It has no registrar for its peer
    phone = new_subscriber(carrier.host, answer=404, port=port)
    phone.command(do="dial", uri=f"sip:{CALLED}@{DOMAIN}", headers={})
    phone.wait_heard(1, TONE_HZ, 0.5)
    phone.command(do="hangup", call=1)
    carrier.call(CALLED, USER)
    phone.wait("incoming", 2)
    phone.wait_heard(2, TONE_HZ, 0.5)
