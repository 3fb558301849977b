"""The FCI column (vendor's post 7: callTag and cause)."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.call.cause import by_hang_up, by_response, by_server
from pbx.call.quality import Quality
from pbx.cdr.fci import CallTag, Fci, format_fci, parse_fci
from pbx.store.schema import CDR_LENGTHS

ROOT = Path(__file__).parents[2]
README = ROOT / "pbx" / "cdr" / "README.md"
PUBLISHED = (README, ROOT / "MANUAL.md", ROOT / "MANUAL.zh.md")


DETAILS = ("WorstLoss", "Reordered", "Delay", "RoundTrip", "HeardLoss", "LateTicks")


class TestCallTag:
    @pytest.mark.parametrize(
        ("tag", "who"),
        [(101, "caller"), (202, "callee"), (301, "server"), (313, "server"), (401, "network")],
    )
    def test_t7_7_the_hundreds_tell_who(self, tag: int, who: str) -> None:
        assert CallTag(tag).released_by == who

    @pytest.mark.parametrize("tag", list(CallTag))
    def test_t7_2_every_number_is_published(self, tag: CallTag) -> None:
        assert f"| {tag.value} |" in README.read_text("utf-8")


class TestFci:
    def test_the_quality_of_both_parties_sound(self) -> None:
        quality = (Quality(0.0, 1.25, 4.41), Quality(5.5, 30.0, 3.1))
        items = parse_fci(str(Fci(CallTag.CALLER_HUNG_UP, 16, quality=quality)))
        caller = {key: items[f"caller{key}"] for key in ("Mos", "Loss", "Jitter")}
        called = {key: items[f"called{key}"] for key in ("Mos", "Loss", "Jitter")}
        assert caller == {"Mos": "4.41", "Loss": "0.00", "Jitter": "1.2"}
        assert called == {"Mos": "3.10", "Loss": "5.50", "Jitter": "30.0"}

    def test_its_worst_second_and_its_way(self) -> None:
        caller = Quality(
            2.0,
            1.2,
            4.1,
            worst_loss_percent=12.5,
            reordered=7,
            delay_ms=41.6,
            round_trip_ms=120.4,
            heard_loss_percent=0.0,
            late_ticks=3,
        )
        called = Quality(0.0, 1.2, 4.41)
        items = parse_fci(str(Fci(CallTag.CALLER_HUNG_UP, 16, quality=(caller, called))))
        assert {key: items[f"caller{key}"] for key in DETAILS} == {
            "WorstLoss": "12.50",
            "Reordered": "7",
            "Delay": "42",
            "RoundTrip": "120",
            "HeardLoss": "0.0",
            "LateTicks": "3",
        }
        # What isn't known, or hasn't happened, takes no room
        assert [key for key in DETAILS if f"called{key}" in items] == ["WorstLoss"]

    def test_every_detail_is_published(self) -> None:
        for document in PUBLISHED:
            text = document.read_text("utf-8")
            assert [key for key in DETAILS if f"`caller{key}`" not in text] == []

    def test_what_a_phone_says_that_it_hears(self) -> None:
        quality = (Quality(0.0, 1.25, 4.41, 3.9), Quality(5.5, 30.0, 3.1))
        items = parse_fci(str(Fci(CallTag.CALLER_HUNG_UP, 16, quality=quality)))
        assert items["callerHeardMos"] == "3.9"
        assert "calledHeardMos" not in items

    @pytest.mark.parametrize("tag", list(CallTag))
    def test_t7_1_call_tag_and_cause_come_first(self, tag: CallTag) -> None:
        assert str(Fci(tag, 16)).startswith(f"callTag={tag.value};cause=16;")

    def test_t7_4_the_callees_reason_decides(self) -> None:
        cause = by_response(486, "Busy Here", ["Q.850;cause=34"])
        fci = Fci.of(cause, answered=False, codec="", pdd_s=0.1234)
        assert str(fci) == (
            "callTag=201;cause=34;sip=486;releasedBy=callee;pdd=0.123;reason=Q.850%3Bcause%3D34"
        )

    def test_t7_4_what_a_sip_cause_said_is_kept(self) -> None:
        cause = by_response(486, "Busy Here", ["SIP;cause=480", 'Q.850;text="\x1b[2J"'])
        found = parse_fci(str(Fci.of(cause, answered=False, codec="", pdd_s=None)))
        assert (found["cause"], found["reason"]) == ("18", 'SIP;cause=480, Q.850;text="?[2J"')
        long = by_hang_up(CallTag.CALLER_HUNG_UP, ["Q.850;cause=31;text=" + 1000 * "x"])
        assert len(long.said) == 120

    def test_t7_4_without_a_reason_the_cause_is_ours(self) -> None:
        fci = Fci.of(by_response(486, "Busy Here", []), answered=False, codec="", pdd_s=None)
        assert str(fci) == "callTag=201;cause=17;sip=486;releasedBy=callee"

    def test_t7_5_an_answered_call_has_a_cause_too(self) -> None:
        cause = by_hang_up(CallTag.CALLEE_HUNG_UP, [])
        fci = Fci.of(cause, answered=True, codec="opus", pdd_s=None)
        assert str(fci) == "callTag=202;cause=16;sip=200;releasedBy=callee;codec=opus"

    def test_a_converted_call_that_was_recorded(self) -> None:
        cause = by_hang_up(CallTag.CALLER_HUNG_UP, [])
        fci = Fci.of(
            cause,
            answered=True,
            codec="PCMA",
            called_codec="G722",
            recordings=("20261123/a.wav", "20261123/b.wav"),
            pdd_s=None,
        )
        found = parse_fci(str(fci))
        assert (found["codec"], found["calledCodec"]) == ("PCMA", "G722")
        assert found["recording"] == "20261123/a.wav,20261123/b.wav"

    def test_what_a_database_cuts_is_no_more_than_the_list_of_files(self) -> None:
        fci = Fci.of(
            by_hang_up(CallTag.CALLER_HUNG_UP, ["Q.850;cause=16"]),
            answered=True,
            codec="PCMA",
            recordings=tuple(
                f"20261123/101112_100_101_0123456789abcdef_{one}.wav" for one in range(32)
            ),
            pdd_s=None,
            transferred_by="102",
            lines=("telco", "peer"),
            emergency=True,
            recording_failure="No space left on device",
        )
        found = parse_fci(str(fci)[: CDR_LENGTHS["fci"]])
        assert (found["lineIn"], found["lineOut"], found["emergency"]) == ("telco", "peer", "yes")
        assert (found["transferredBy"], found["codec"]) == ("102", "PCMA")
        assert found["recordingFailure"] == "No space left on device"
        assert found["recording"].startswith(fci.recordings[0])

    def test_what_the_exchange_told_the_caller(self) -> None:
        fci = Fci.of(by_server(CallTag.NO_ROUTE), answered=False, codec="", pdd_s=None)
        assert parse_fci(str(fci))["sip"] == "404"

    def test_no_status_at_all(self) -> None:
        assert str(Fci(CallTag.RESTART, 41)) == "callTag=308;cause=41;releasedBy=server"


class TestItems:
    @given(st.dictionaries(st.from_regex("[a-zA-Z]+", fullmatch=True), st.text(min_size=1)))
    def test_round_trip(self, items: dict[str, str]) -> None:
        assert parse_fci(format_fci(list(items.items()))) == items

    @given(st.text(min_size=1))
    def test_every_url_decoder_reads_values(self, value: str) -> None:
        key, _, written = format_fci([("reason", value)]).partition("=")
        assert (key, unquote(written)) == ("reason", value)

    @pytest.mark.parametrize("char", ['"', ",", ";", "=", "%"])
    def test_every_escape_is_published_and_no_other_is_used(self, char: str) -> None:
        written = format_fci([("x", char)]).removeprefix("x=")
        assert re.fullmatch("%[0-9A-F]{2}", written)
        for document in PUBLISHED:
            text = document.read_text("utf-8")
            assert f"`{char}`" in text
            assert f"`{written}`" in text
        others = "".join(map(chr, range(0x20, 0x2FF))).translate({ord(one): "" for one in '",;=%'})
        assert format_fci([("x", others)]) == f"x={others}"

    def test_what_older_versions_wrote_is_read(self) -> None:
        """They let commas and quotation marks be."""
        older = (
            "callTag=102;cause=16;recording=20261123/a.wav,20261123/b.wav;lineOut=telco,peer"
            ';reason=SIP%3Bcause%3D200, Q.850%3Bcause%3D16%3Btext%3D"100 %25, %2522"'
        )
        found = parse_fci(older)
        assert found["recording"] == "20261123/a.wav,20261123/b.wav"
        assert found["lineOut"] == "telco,peer"
        assert found["reason"] == 'SIP;cause=200, Q.850;cause=16;text="100 %, %22"'

    def test_what_is_no_item_is_left_out(self) -> None:
        assert parse_fci("") == {}
        assert parse_fci("callTag=101;x; cause=16") == {"callTag": "101", "cause": "16"}
