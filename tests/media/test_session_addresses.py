"""Addresses that peers name: which of them media is sent to."""

import pytest

from pbx.errors import PeerError
from pbx.media.protocol import Address
from pbx.media.session import LegMedia, PortPool, bridge
from tests.media.test_session import AUDIO, Call, sdp


class TestAddresses:
    @pytest.mark.parametrize("host", ["phone.example.com", "2001:db8::5"])
    def test_who_has_no_address_of_ours_is_found_by_the_latch(self, host: str) -> None:
        call = Call()
        alice, _ = call.talk(sdp(*AUDIO, host=host), sdp(*AUDIO, host="10.0.0.6"))
        assert (alice.remote_rtp, alice.latch, alice.send) == (None, True, True)

    def test_ipv6(self) -> None:
        leg = LegMedia(PortPool([20000]), "2001:db8::1", 7, timeout_s=60)
        offer = sdp("m=audio 5000 RTP/AVP 0", "c=IN IP6 2001:DB8:0::5")
        leg.remote(offer)
        leg.describe(offer)
        (stream,) = bridge(leg, Call().bob)
        assert stream.remote_rtp == Address("2001:db8::5", 5000)
        assert stream.local == "2001:db8::1"

    @pytest.mark.parametrize(
        ("said", "local", "reached"),
        [
            ("::ffff:192.0.2.9", "2001:db8::1", ""),
            ("::ffff:192.0.2.9", "192.0.2.1", "192.0.2.9"),
            ("::ffff:0.0.0.0", "192.0.2.1", ""),
            ("fe80::1%wlan0", "2001:db8::1", ""),
            ("2001:db8::5%eth0", "2001:db8::1", ""),
        ],
    )
    def test_addresses_that_mean_another_one_or_none(
        self, said: str, local: str, reached: str
    ) -> None:
        """The engine refuses a stream to any that isn't of its own address's version, or has a zone."""
        leg = LegMedia(PortPool([20000]), local, 7, timeout_s=60)
        offer = sdp("m=audio 5000 RTP/AVP 0", f"c=IN IP6 {said}", f"a=rtcp:5005 IN IP6 {said}")
        leg.remote(offer)
        leg.describe(offer)
        (stream,) = bridge(leg, Call().bob)
        assert stream.remote_rtp == (Address(reached, 5000) if reached else None)
        assert stream.remote_rtcp == (Address(reached, 5005) if reached else None)

    @pytest.mark.parametrize(
        "address",
        [
            "IP4 224.2.1.1/127",
            "IP6 ff15::101",
            "IP4 255.255.255.255",
            "IP6 ::ffff:224.2.1.1",
            "IP6 ::ffff:255.255.255.255",
        ],
    )
    def test_nobody_makes_us_flood_a_network(self, address: str) -> None:
        call = Call()
        with pytest.raises(PeerError) as raised:
            call.alice.remote(sdp(*AUDIO, "c=IN " + address))
        assert raised.value.status == 488
        assert call.alice.last_remote == b""
