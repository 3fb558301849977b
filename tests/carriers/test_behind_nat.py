"""The exchange at home behind a router; the carrier outside goes by the registered Contact alone.

That carrier is a Kamailio that does nothing for subscribers behind a NAT, and beside it sipp, whose
sound goes back to where ours comes from (symmetric RTP).
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.carriers import steps
from tests.carriers.lines import add_line, set_line, state, wait_usable
from tests.carriers.nat import CARRIER, HOME, NEXT_PUBLIC, PUBLIC, HomeNetwork, inside
from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange, command
from tests.interop.kamailio import Kamailio, head
from tests.interop.ports import Ports
from tests.interop.sipp import Account, Load, Sipp
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

USER, DOMAIN, PASSWORD = "+4930555", "telco.invalid", "secret"
NUMBER, TONE_HZ = "200", 440.0

_ROUTES = """\
modparam("usrloc", "db_mode", 0)
modparam("tm", "fr_timer", 4000)
request_route {{
    force_rport();
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) t_relay();
        else if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{domain}", "{password}", "0")) {{
            www_challenge("{domain}", "1");
            exit;
        }}
        xlog("L_ERR", "carrier: REGISTER $ct\\n");
        save("location");
        exit;
    }}
    if (!is_method("INVITE|ACK")) {{
        sl_send_reply("200", "OK");
        exit;
    }}
    record_route();
    if ($rU == "{user}") {{
        if (!lookup("location")) {{
            sl_send_reply("480", "Not registered");
            exit;
        }}
    }} else {{
        $du = "sip:{far}";
    }}
    if (!t_relay()) sl_reply_error();
}}
"""


class Carrier:
    """The carrier, with one subscriber, and its far end, which answers each call with an echo.

    Args:
        network: where it is.
        folder: for its files.
        closing: ends it.
    """

    def __init__(self, network: HomeNetwork, folder: Path, closing: ExitStack) -> None:
        self._network, self._folder, self._closing = network, folder, closing
        with inside(network.carrier):
            self._ports = closing.enter_context(Ports())
            port, far = self._ports.one(), self._ports.one()
            self.host = f"{CARRIER}:{port}"
            modules = "sl tm rr pv textops siputils xlog auth usrloc registrar"
            values = {"domain": DOMAIN, "password": PASSWORD, "user": USER}
            routes = _ROUTES.format(**values, far=f"{CARRIER}:{far}")
            config = head([f"udp:{self.host}"], modules) + routes
            self._kamailio = Kamailio(folder / "kamailio", config, port)
            closing.callback(self._kamailio.close)
            self.far = self._sipp("far", scenario.callee(), far, calls=0)

    def _sipp(self, name: str, text: str, port: int, *, calls: int = 1, number: str = "") -> Sipp:
        own = Account("+491719", "", port, port, self.host, CARRIER)
        sound = (self._ports.block(4),)
        load = Load(calls=calls, talk_ms=3000, rtp_ports=sound, echo=True, traced=True, limit_s=200)
        sipp = Sipp(name, self._folder, text, own, number=number, load=load)
        self._closing.callback(sipp.close)
        return sipp

    @property
    def registered(self) -> list[str]:
        """The Contacts of each REGISTER that has proved who it is, as host and port."""
        rows = re.findall(r"carrier: REGISTER (.*)", self._kamailio.program.said())
        return [match[1] for row in rows if (match := re.search(r"@([0-9.]+:[0-9]+)", row))]

    def call(self, *, refused: str = "") -> Sipp:
        """Have somebody call the subscriber; who hangs up after three seconds."""
        with inside(self._network.carrier):
            name = f"caller-{len(list(self._folder.glob('caller-*.xml')))}"
            text = steps.calling(refused=refused)
            return self._sipp(name, text, self._ports.one(), number=USER)


@pytest.fixture
def carrier(network: HomeNetwork, tmp_path: Path, closing: ExitStack) -> Carrier:
    return Carrier(network, tmp_path / "carrier", closing)


@pytest.fixture
def exchange(network: HomeNetwork, new_exchange: Callable[..., Exchange]) -> Exchange:
    own = new_exchange(addresses=(HOME, "127.0.0.1"))
    own.add_user(NUMBER, "secret")
    return own


@pytest.fixture
def phone(exchange: Exchange, tmp_path: Path, ports: Ports) -> Iterator[Baresip]:
    own = Baresip(
        tmp_path / "phone",
        ports,
        number=NUMBER,
        password="secret",
        server=exchange.host,
        tone_hz=TONE_HZ,
    )
    own.registered()
    yield own
    own.close()


def add(exchange: Exchange, carrier: Carrier, **options: Any) -> None:
    """Add the line, and wait until it is registered."""
    given = {"server": carrier.host, "domain": DOMAIN, "user": USER, "password": PASSWORD}
    given |= {"keep_alive": "options", "destination": NUMBER}
    add_line(exchange, kind="external-line", keep_alive_s=2, **given, **options)
    wait_usable(exchange)


def examined(exchange: Exchange) -> dict[str, str]:
    """Let `minisip doctor` look at the line; return the slugs' marks."""
    argv = [command("minisip"), "--socket", str(exchange.socket), "doctor", "telco", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return {one["slug"]: one["mark"] for one in json.loads(done.stdout)["findings"]}


def test_calls_with_sound_both_ways_by_the_learned_contact(
    exchange: Exchange, carrier: Carrier, phone: Baresip
) -> None:
    add(exchange, carrier, contact_address="learned", sdp_address="learned")
    public = state(exchange).public
    assert public.startswith(f"{PUBLIC}:")
    assert carrier.registered == [public]
    # Out: the far end's BYE, too, finds us by our Contact
    phone.dial("9030123456")
    phone.wait_heard(TONE_HZ, 0.5)
    invite = carrier.far.messages.read_text(errors="replace")
    assert f"@{public}" in invite
    assert f"c=IN IP4 {PUBLIC}" in invite
    assert f"c=IN IP4 {HOME}" not in invite
    phone.hang_up()
    exchange.wait_idle()
    # In
    heard = phone.heard_s(TONE_HZ)
    calling = carrier.call()
    phone.wait_heard(TONE_HZ, heard + 0.5)
    calling.finish()
    exchange.wait_idle()
    exchange.assert_sane()


def test_a_private_contact_and_what_the_doctor_says(
    exchange: Exchange, carrier: Carrier, phone: Baresip
) -> None:
    """This carrier's calls don't find it; the setting that the doctor names mends that."""
    add(exchange, carrier)
    assert [one.partition(":")[0] for one in carrier.registered] == [HOME]
    assert examined(exchange)["identity-translated"] == "note"
    carrier.call(refused="477").finish()
    set_line(exchange, contact_address="learned")
    until("the public Contact", lambda: carrier.registered[-1].startswith(f"{PUBLIC}:"))
    heard = phone.heard_s(TONE_HZ)
    calling = carrier.call()
    phone.wait_heard(TONE_HZ, heard + 0.5)
    calling.finish()
    assert "identity-translated-told" in examined(exchange)
    set_line(exchange, contact_address="11.22.33.8")
    assert examined(exchange)["identity-translated-wrong"] == "bad"
    exchange.wait_idle()
    exchange.assert_sane()


def test_the_routers_new_address_is_registered(
    exchange: Exchange, carrier: Carrier, network: HomeNetwork
) -> None:
    """At the next sign of life, long before the registration would end."""
    add(exchange, carrier, contact_address="learned", expires_s=3600)
    before = state(exchange).public
    assert carrier.registered == [before]
    network.reconnect()
    until(
        "the new address is registered",
        lambda: carrier.registered[-1].startswith(f"{NEXT_PUBLIC}:"),
        60,
        why_not=exchange.why,
    )
    until("the line knows it", lambda: state(exchange).public.startswith(f"{NEXT_PUBLIC}:"))
    assert wait_usable(exchange).usable
    exchange.assert_sane()
