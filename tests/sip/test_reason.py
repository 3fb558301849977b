"""Reason header and Q.850 causes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.reason import (
    Q850_TEXTS,
    Reason,
    build_reason,
    parse_reasons,
    q850_of_status,
    released_cause,
    status_of_q850,
)


class TestRfc3326Section2:
    def test_the_rfcs_examples(self) -> None:
        assert parse_reasons(
            [
                'SIP ;cause=200 ;text="Call completed elsewhere"',
                'Q.850 ;cause=16 ;text="Terminated"',
                'SIP ;cause=600 ;text="Busy Everywhere"',
                'SIP ;cause=580 ;text="Precondition Failure"',
            ]
        ) == [
            Reason("SIP", 200, "Call completed elsewhere"),
            Reason("Q.850", 16, "Terminated"),
            Reason("SIP", 600, "Busy Everywhere"),
            Reason("SIP", 580, "Precondition Failure"),
        ]

    def test_several_values_in_one_header(self) -> None:
        assert parse_reasons(['SIP;cause=480;text="a, b", Q.850;cause=19']) == [
            Reason("SIP", 480, "a, b"),
            Reason("Q.850", 19),
        ]

    @pytest.mark.parametrize(
        "bad", ["", ";cause=16", 'Q.850;text="open', "Q 850;cause=1", "Q.850;cause=1;cause=2"]
    )
    def test_what_cannot_be_read_is_left_out(self, bad: str) -> None:
        assert parse_reasons([bad, "Q.850;cause=34"]) == [Reason("Q.850", 34)]

    @pytest.mark.parametrize("bad", ["", ";cause=16", "Q 850;cause=1", "Q.850;cause=1;cause=2"])
    def test_one_of_several_that_cannot_be_read_takes_no_other_away(self, bad: str) -> None:
        assert parse_reasons([f"{bad}, Q.850;cause=34"]) == [Reason("Q.850", 34)]

    @pytest.mark.parametrize("value", ["Q.850", "Q.850;cause", "Q.850;cause=busy", "Q.850;x=1"])
    def test_a_reason_may_lack_a_cause(self, value: str) -> None:
        assert parse_reasons([value]) == [Reason("Q.850")]

    def test_build(self) -> None:
        assert build_reason(17) == 'Q.850;cause=17;text="User busy"'
        assert build_reason(99) == "Q.850;cause=99"
        assert str(Reason("SIP")) == "SIP"

    @given(st.sampled_from(["SIP", "Q.850"]), st.integers(0, 699), st.text(max_size=20))
    def test_round_trip(self, protocol: str, cause: int, text: str) -> None:
        printable = "".join(c for c in text if c.isprintable())
        reason = Reason(protocol, cause, printable)
        assert parse_reasons([str(reason)]) == [reason]

    @given(st.text())
    def test_nothing_makes_it_fail(self, text: str) -> None:
        for reason in parse_reasons([text]):
            assert reason.protocol


class TestReleasedCause:
    def test_t7_3_a_q850_cause_decides(self) -> None:
        assert released_cause(["Q.850;cause=34"]) == 34

    def test_t7_4_q850_is_preferred_to_sip(self) -> None:
        assert released_cause(["SIP;cause=486", "q.850;cause=34"]) == 34
        assert released_cause(["SIP;cause=486, Q.850;cause=34"]) == 34

    def test_t7_4_a_sole_sip_cause_is_mapped(self) -> None:
        assert released_cause(["SIP;cause=486"]) == 17

    @pytest.mark.parametrize(
        "values",
        [[], ["Q.850"], ["Q.850;cause=0"], ["Q.850;cause=128"], ["SIP;cause=100"], ["X;cause=16"]],
    )
    def test_no_usable_cause(self, values: list[str]) -> None:
        assert released_cause(values) is None


class TestRfc3398Section8_2_6_1:
    @pytest.mark.parametrize(
        ("status", "cause"),
        [
            (400, 41), (401, 21), (402, 21), (403, 21), (404, 1), (405, 63), (406, 79),
            (407, 21), (408, 102), (410, 22), (413, 127), (414, 127), (415, 79), (416, 127),
            (420, 127), (421, 127), (423, 127), (480, 18), (481, 41), (482, 25), (483, 25),
            (484, 28), (485, 1), (486, 17), (500, 41), (501, 79), (502, 38), (503, 41),
            (504, 102), (505, 127), (513, 127), (600, 17), (603, 21), (604, 1),
        ],
    )  # fmt: skip
    def test_the_table(self, status: int, cause: int) -> None:
        assert q850_of_status(status) == cause

    def test_what_the_table_leaves_open(self) -> None:
        assert q850_of_status(200) == 16
        assert q850_of_status(302) == 23
        assert q850_of_status(487) == 16
        assert q850_of_status(488) == q850_of_status(606) == 65

    def test_a_status_that_the_table_leaves_out_is_normal_unspecified(self) -> None:
        assert [q850_of_status(status) for status in (418, 499, 580, 599, 699)] == [31] * 5

    @given(st.integers(100, 999))
    def test_every_status_has_a_cause(self, status: int) -> None:
        assert 1 <= q850_of_status(status) <= 127


class TestRfc3398Section7_2_4_1:
    @pytest.mark.parametrize(
        ("cause", "status"),
        [
            (1, 404), (2, 404), (3, 404), (17, 486), (18, 408), (19, 480), (20, 480), (21, 403),
            (22, 410), (23, 410), (26, 404), (27, 502), (28, 484), (29, 501), (31, 480),
            (34, 503), (38, 503), (41, 503), (42, 503), (47, 503), (55, 403), (57, 403),
            (58, 503), (65, 488), (70, 488), (79, 501), (87, 403), (88, 503), (102, 504),
            (111, 500), (127, 500),
        ],
    )  # fmt: skip
    def test_the_table(self, cause: int, status: int) -> None:
        assert status_of_q850(cause)[0] == status

    def test_any_other_cause_is_500(self) -> None:
        assert status_of_q850(99) == (500, "Server Internal Error")

    def test_normal_clearing_before_the_answer(self) -> None:
        assert status_of_q850(16) == (480, "Temporarily Unavailable")

    @given(st.sampled_from(sorted(Q850_TEXTS)))
    def test_every_named_cause_has_a_phrase(self, cause: int) -> None:
        status, phrase = status_of_q850(cause)
        assert 400 <= status < 600
        assert phrase
