import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sip.uri import OtherUri, SipUri, TelUri, Uri, equivalent, parse_uri


def sip(text: str) -> SipUri:
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    return uri


def tel(text: str) -> TelUri:
    uri = parse_uri(text)
    assert isinstance(uri, TelUri)
    return uri


class TestRfc3261Section19_1_1:
    def test_all_components(self) -> None:
        uri = sip(
            "sip:alice:secret@atlanta.com:5070;transport=tcp;lr?subject=project&priority=urgent"
        )
        assert uri == SipUri(
            "sip",
            "alice",
            "secret",
            "atlanta.com",
            5070,
            (("transport", "tcp"), ("lr", "")),
            (("subject", "project"), ("priority", "urgent")),
        )

    @pytest.mark.parametrize(
        "text",
        [
            "sip:alice@atlanta.com",
            "sip:alice:secretword@atlanta.com;transport=tcp",
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sips:1212@gateway.com",
            "sip:alice@192.0.2.4",
            "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            "sip:alice;day=tuesday@atlanta.com",
            "sip:[2001:db8::10]:5060;transport=tcp",
            "sip:alice@[::ffff:192.0.2.4]",
            "sip:alice:@atlanta.com",
            "sip:localhost",
            "sip:alice@atlanta.com.:5060",
        ],
    )
    def test_text_survives(self, text: str) -> None:
        assert str(parse_uri(text)) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "sip:",
            "sip:@atlanta.com",
            "sip:alice@",
            "alice@atlanta.com",
            "sip:alice@@atlanta.com",
            "sip:al ice@atlanta.com",
            "sip:alice@atlanta.com;",
            "sip:alice@atlanta.com;;lr",
            "sip:alice@atlanta.com:",
            "sip:alice@atlanta.com:sip",
            "sip:alice@atlanta.com:65536",
            "sip:alice@atlanta.com:" + "9" * 5000,
            "sip:alice@atlanta.com?",
            "sip:alice@atlanta.com?subject",
            "sip:alice@atlanta.com?=x",
            "sip:al%4@atlanta.com",
            "sip:al%GGice@atlanta.com",
            "sip:alice@atlanta.com;x=%",
            "sip:alice@256.0.0.1",
            "sip:alice@1.2.3",
            "sip:alice@01.2.3.4",
            "sip:alice@1.2.3.4.",
            "sip:alice@.com",
            "sip:alice@a..com",
            "sip:alice@-a.com",
            "sip:alice@a-.com",
            "sip:alice@a.-com",
            "sip:alice@a.com-",
            "sip:alice@.",
            "sip:alice@a.com..",
            "sip:alice@[]",
            "sip:alice@[::1",
            "sip:alice@[1.2.3.4]",
            "sip:alice@[2001:db8:::1]",
            "sip:alice@[2001:db8::::192.0.2.1]",
            "sip:alice@[2001:db8:::1.1]",
            "sip:alice@2001:db8::1",
            "sip:alice@\u00e4.com",
            "sip:\u00e4@a.com",
            "sip:alice@atlanta.com\n",
            "sip:alice@atlanta.com:\u0665060",
            "<sip:alice@atlanta.com>",
            "sips:a@b c",
            "tel:",
            "1x:abc",
            "x y:abc",
            "mailto:",
            "mailto:a<b>",
        ],
    )
    def test_bad_text(self, text: str) -> None:
        with pytest.raises(PeerError) as caught:
            parse_uri(text)
        assert caught.value.status == 400

    def test_parameter_may_appear_once(self) -> None:
        with pytest.raises(PeerError):
            parse_uri("sip:a@b;transport=udp;Transport=tcp")

    def test_scheme_in_any_case(self) -> None:
        assert sip("SIPS:a@b").scheme == "sips"

    @pytest.mark.parametrize(
        "host", ["my_host", "3f2a1b0c9d8e", "a1", "1a.2b", "xn--bcher-kva.example"]
    )
    def test_names_that_devices_give_themselves(self, host: str) -> None:
        assert sip(f"sip:a@{host}").host == host

    def test_bare_number_sign_of_feature_codes(self) -> None:
        uri = sip("sip:*21*100#@pbx")
        assert uri.user == "*21*100#"
        assert str(uri) == "sip:*21*100%23@pbx"


class TestRfc3261Section19_1_2:
    def test_escapes(self) -> None:
        uri = sip("sip:%61%40b%c3%a4:p%3a@h;%6Cr;x=%3b?a%3d=%26")
        assert (uri.user, uri.password) == ("a@b\u00e4", "p:")
        assert uri.params == (("lr", ""), ("x", ";"))
        assert uri.headers == (("a=", "&"),)
        assert str(uri) == "sip:a%40b%C3%A4:p%3A@h;lr;x=%3B?a%3D=%26"

    def test_octets_that_are_no_utf8(self) -> None:
        uri = sip("sip:%ff%00@h")
        assert str(uri) == "sip:%FF%00@h"
        assert parse_uri(str(uri)) == uri


class TestComponents:
    def test_params(self) -> None:
        uri = sip("sip:a@h;LR;transport=TCP;empty=")
        assert uri.has_param("lr")
        assert uri.param("lr") == ""
        assert uri.param("empty") == ""
        assert uri.param("transport") == "TCP"
        assert uri.param("maddr") is None
        assert not sip("sip:a@h").has_param("lr")

    def test_with_params(self) -> None:
        uri = sip("sip:a@h;Transport=tcp;lr")
        assert str(uri.with_params(transport="udp", ob="")) == "sip:a@h;Transport=udp;lr;ob"
        assert str(uri.with_params(("user", "phone"))) == "sip:a@h;Transport=tcp;lr;user=phone"
        assert str(uri) == "sip:a@h;Transport=tcp;lr"

    def test_without_param(self) -> None:
        assert str(sip("sip:a@h;Transport=tcp;lr").without_param("transport")) == "sip:a@h;lr"

    def test_address_of_record(self) -> None:
        assert sip("sips:Bob:pw@BiLoxi.com:5070;x").address_of_record() == "Bob@biloxi.com"
        assert sip("sip:Biloxi.com").address_of_record() == "biloxi.com"
        # RFC 5118 §4.10
        assert sip("sip:a@[2001:db8:::192.0.2.1]") == sip("sip:a@[2001:db8::192.0.2.1]")
        assert sip("sip:a@[2001:DB8::1]").address_of_record() == "a@2001:db8::1"


class TestRfc3261Section19_1_4:
    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::01]"),  # RFC 5954 §4.2
            ("tel:+1-201-555-0123", "TEL:+12015550123"),  # RFC 3966 §4
            ("tel:7042;phone-context=Example.com", "tel:7042;Phone-Context=example.com"),
            ("http://a/b", "HTTP://a/b"),
        ],
    )
    def test_equivalent(self, a: str, b: str) -> None:
        assert equivalent(parse_uri(a), parse_uri(b))
        assert equivalent(parse_uri(b), parse_uri(a))

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@h", "sips:a@h"),
            ("sip:a:x@h", "sip:a:y@h"),
            ("sip:a@h", "sip:h"),
            ("sip:a@h", "sip:a@h;maddr=h"),
            ("sip:a@h", "sip:a@h;user=phone"),
            ("sip:a@[::1]", "sip:a@[::2]"),
            ("sip:a@[::1]", "sip:a@h"),
            ("tel:1", "tel:2"),
            ("tel:1", "tel:1;ext=2"),
            ("tel:1", "sip:1@h"),
            ("http://a", "https://a"),
            ("http://a", "http://A"),
        ],
    )
    def test_not_equivalent(self, a: str, b: str) -> None:
        assert not equivalent(parse_uri(a), parse_uri(b))
        assert not equivalent(parse_uri(b), parse_uri(a))


class TestRfc3966Section3:
    def test_global_number(self) -> None:
        uri = tel("tel:+358-(9)-123.45;ext=7;postd=p")
        assert uri.number == "+358912345"
        assert uri.param("EXT") == "7"
        assert uri.param("isub") is None
        assert str(uri) == "tel:+358912345;ext=7;postd=p"

    def test_local_number(self) -> None:
        uri = tel("tel:*21#;phone-context=pbx;flag")
        assert (uri.number, uri.param("flag")) == ("*21#", "")
        assert str(uri) == "tel:*21#;phone-context=pbx;flag"

    @pytest.mark.parametrize(
        "text", ["tel:alice", "tel:+", "tel:-", "tel:1;x=%f", "tel:1;a;a", "tel:1 2"]
    )
    def test_bad_number(self, text: str) -> None:
        with pytest.raises(PeerError):
            parse_uri(text)


class TestOtherSchemes:
    def test_kept_as_it_is(self) -> None:
        uri = parse_uri("soap.beep://192.0.2.103:3002")
        assert uri == OtherUri("soap.beep", "//192.0.2.103:3002")
        assert str(uri) == "soap.beep://192.0.2.103:3002"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LABEL = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8).filter(
    lambda text: not text.isdigit()
)
HOST = (
    st.lists(LABEL, min_size=1, max_size=3).map(".".join)
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(str)
)
PARAMS = st.dictionaries(TEXT.filter(bool).map(str.lower), TEXT, max_size=4).map(
    lambda params: tuple({name.lower(): (name, value) for name, value in params.items()}.values())
)


@st.composite
def sip_uris(draw: st.DrawFn) -> SipUri:
    user = draw(st.none() | TEXT.filter(bool))
    return SipUri(
        draw(st.sampled_from(["sip", "sips"])),
        user,
        None if user is None else draw(st.none() | TEXT),
        draw(HOST),
        draw(st.none() | st.integers(0, 65_535)),
        draw(PARAMS),
        draw(st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=3).map(tuple)),
    )


class TestProperties:
    @settings(deadline=None)
    @given(sip_uris())
    def test_what_is_written_is_read_again(self, uri: SipUri) -> None:
        assert parse_uri(str(uri)) == uri
        assert equivalent(uri, uri)

    @settings(deadline=None)
    @given(st.text(max_size=60) | st.text("sipte:@;?&=%+[]0a. ", max_size=40).map("sip:".__add__))
    def test_nothing_but_peer_error(self, text: str) -> None:
        try:
            uri: Uri = parse_uri(text)
        except PeerError:
            return
        assert parse_uri(str(uri)) == uri

    @pytest.mark.timeout(10)
    @pytest.mark.parametrize(
        "unit", ["a", "a.", "a-", "%41", ";", ";a", "?", "a=b&", "[", ":", "/"]
    )
    def test_time_grows_linearly(self, unit: str) -> None:
        for prefix in ("sip:", "sip:a@", "sip:a@h", "sip:a@h;", "sip:a@h?", "tel:", "x:"):
            for suffix in ("", "@", "\x00"):
                try:
                    parse_uri(prefix + unit * 60_000 + suffix)
                except PeerError:
                    continue
