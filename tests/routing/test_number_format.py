"""Numbers as lines write them, and what must stay as it was dialled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.config.line import NUMBER_FORMATS
from pbx.routing.number_format import formatted, forms, from_e164, to_e164
from tests.routing.plans import line, untimed

BEIJING = line("cn", country="86", area="10")
BERLIN = line("de", country="49", area="30")
NEW_YORK = line("us", country="1", area="212", trunk_prefix="1", international_prefix="011")
COPENHAGEN = line("dk", country="45", trunk_prefix="")
HONG_KONG = line("hk", country="852")
MALDIVES = line("mv", country="960")
ROME = line("it", country="39", trunk_prefix="")
CHINA = line("cn", country="86")
NOWHERE = line("x")


class TestToE164:
    @pytest.mark.parametrize(
        ("where", "dialed", "e164"),
        [
            (BEIJING, "+861012345678", "+861012345678"),
            (BEIJING, "00861062345678", "+861062345678"),
            (BEIJING, "861062345678", "+861062345678"),
            (BEIJING, "01062345678", "+861062345678"),
            (BEIJING, "62345678", "+861062345678"),
            (BEIJING, "13800138000", "+8613800138000"),
            (BEIJING, "013800138000", "+8613800138000"),
            (BEIJING, "8613800138000", "+8613800138000"),
            (BEIJING, "4001234567", "+864001234567"),
            (BEIJING, "004930123456", "+4930123456"),
            (BERLIN, "030123456", "+4930123456"),
            (BERLIN, "1234567", "+49301234567"),
            (BERLIN, "123456789", "+4930123456789"),
            (NEW_YORK, "5551234", "+12125551234"),
            (NEW_YORK, "6465551234", "+16465551234"),
            (NEW_YORK, "16465551234", "+16465551234"),
            (NEW_YORK, "0114930123456", "+4930123456"),
            (COPENHAGEN, "33123456", "+4533123456"),
            (COPENHAGEN, "45123456", "+4545123456"),
            (COPENHAGEN, "4533123456", "+4533123456"),
            (HONG_KONG, "21234567", "+85221234567"),
            (HONG_KONG, "85221234567", "+85221234567"),
            (HONG_KONG, "85221234", "+85285221234"),
            (HONG_KONG, "008613800138000", "+8613800138000"),
            (MALDIVES, "3321234", "+9603321234"),
            (MALDIVES, "9603321234", "+9603321234"),
            (ROME, "3921234567", "+393921234567"),
            (ROME, "393921234567", "+393921234567"),
            (BEIJING, "864001234567", "+864001234567"),
            (NOWHERE, "+4930123456", "+4930123456"),
            (NOWHERE, "004930123456", "+4930123456"),
        ],
    )
    def test_of_a_telephone_number(self, where: object, dialed: str, e164: str) -> None:
        assert to_e164(dialed, where) == e164  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "dialed",
        [
            "110",
            "112",
            "10086",
            "95588",
            "12345",
            "12306",
            "9510510",
            "95105105",
            "1008611",
            "*21#",
        ],
    )
    def test_a_short_or_service_number_has_none(self, dialed: str) -> None:
        assert to_e164(dialed, BEIJING) == ""
        for form in NUMBER_FORMATS:
            assert formatted(dialed, BEIJING, form) == dialed

    @pytest.mark.parametrize(
        "dialed", ["", "+", "+1", "00", "001", "+12345678901234567", "５５５５５５５５"]
    )
    def test_what_is_too_short_or_too_long_or_no_digits_has_none(self, dialed: str) -> None:
        assert to_e164(dialed, BEIJING) == ""

    @pytest.mark.parametrize("dialed", ["999", "18222", "1878200", "1000", "992"])
    def test_nor_one_of_hong_kong(self, dialed: str) -> None:
        assert to_e164(dialed, HONG_KONG) == ""

    def test_without_a_country_nobody_can_tell(self) -> None:
        assert to_e164("01062345678", NOWHERE) == ""

    def test_without_an_area_code_a_subscribers_number_has_none(self) -> None:
        assert to_e164("62345678", CHINA) == ""


class TestFromE164:
    @pytest.mark.parametrize(
        ("where", "form", "written"),
        [
            (BEIJING, "+e164", "+861062345678"),
            (BEIJING, "e164", "861062345678"),
            (BEIJING, "00", "00861062345678"),
            (BEIJING, "national", "01062345678"),
            (BEIJING, "local", "62345678"),
            (CHINA, "local", "01062345678"),
            (BERLIN, "national", "00861062345678"),
            (BERLIN, "local", "00861062345678"),
            (NEW_YORK, "national", "011861062345678"),
            (NOWHERE, "national", "00861062345678"),
            (HONG_KONG, "national", "00861062345678"),
        ],
    )
    def test_in_every_format(self, where: object, form: str, written: str) -> None:
        assert from_e164("+861062345678", where, form) == written  # type: ignore[arg-type]

    def test_a_mobile_needs_no_trunk_prefix_in_china(self) -> None:
        assert from_e164("+8613800138000", BEIJING, "national") == "13800138000"
        assert from_e164("+8613800138000", BEIJING, "local") == "13800138000"

    def test_nor_does_any_number_where_there_are_no_area_codes(self) -> None:
        """Whatever the trunk prefix is said to be; 0 is what a line has unless it is told."""
        for form in ("national", "local"):
            assert from_e164("+85221234567", HONG_KONG, form) == "21234567"

    def test_what_would_be_a_service_number_without_area_code_keeps_it(self) -> None:
        assert from_e164("+861095588123", BEIJING, "local") == "01095588123"

    def test_dialled_means_as_it_was_dialled(self) -> None:
        assert formatted("62345678", BEIJING, "dialled") == "62345678"
        assert formatted("62345678", BEIJING, "+e164") == "+861062345678"

    @untimed
    @given(
        st.sampled_from([BEIJING, BERLIN, NEW_YORK, NOWHERE, CHINA, HONG_KONG]),
        st.sampled_from(
            ["+861062345678", "+8613800138000", "+4930123456", "+16465551234", "+33", "+8522123456"]
        ),
        st.text("123456789", min_size=0, max_size=3),
        st.sampled_from(["+e164", "00", "national", "local"]),
    )
    def test_a_number_that_was_written_is_read_again(
        self, where: object, number: str, more: str, form: str
    ) -> None:
        e164 = to_e164(number + more, NOWHERE)
        written = from_e164(e164, where, form) if e164 else ""  # type: ignore[arg-type]
        assert to_e164(written, where) == e164  # type: ignore[arg-type]

    @untimed
    @given(st.from_regex(r"\+?[0-9*#]{1,32}\Z"), st.sampled_from(NUMBER_FORMATS))
    def test_whatever_is_dialled_something_goes_out(self, dialed: str, form: str) -> None:
        assert formatted(dialed, BEIJING, form)


class TestForms:
    def test_a_number_of_the_own_country(self) -> None:
        written = ("+861062345678", "01062345678", "62345678")
        assert forms("+861062345678", BEIJING) == written
        assert set(forms("62345678", BEIJING)) == set(written)

    def test_a_number_of_another_country(self) -> None:
        assert forms("+4930123456", BEIJING) == ("+4930123456", "004930123456")

    def test_what_stands_behind_a_number_stays_there(self) -> None:
        assert forms("+4930123456#1", BEIJING) == ("+4930123456#1", "004930123456#1")

    def test_a_short_number_is_written_in_one_way(self) -> None:
        assert forms("10086", BEIJING) == ("10086",)
