"""Paths to phones: kept open by STUN, and found dead at once, with programs that we did not write."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop import scenario
from tests.interop.exchange import Exchange
from tests.interop.phones import Phones
from tests.interop.wheels import needs_pjsua2

pytestmark = pytest.mark.interop


def test_pjsip_learns_its_address_by_stun(exchange: Exchange) -> None:
    """RFC 5626 §4.4.2: what keeps a path through a NAT open is answered on the SIP port."""
    needs_pjsua2()
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("stun_client.py")), exchange.host],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = ran.stdout + ran.stderr
    assert "\nstatus 0\n" in said, said
    assert re.search(r"mapped address found/changed: 127\.0\.0\.1:\d+", said), said
    exchange.assert_sane()


def test_a_dead_phone_costs_no_time(phones: Phones) -> None:
    """RFC 3261 §18.4: ICMP says that its port is closed, long before the INVITE times out."""
    callee = phones.callee(scenario.callee())
    before = len(phones.exchange.records())
    callee.close()
    phones.caller(scenario.caller_refused(480)).finish()
    *_, record = phones.exchange.wait_records(before + 1)
    assert record.fci["callTag"] == "401"
    phones.exchange.assert_sane()
