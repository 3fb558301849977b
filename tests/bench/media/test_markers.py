"""A recording of the harness' flows is judged by each of its samples."""

import wave
from pathlib import Path

import numpy as np
import pytest

from tests.bench.media.anchor import fault
from tests.bench.media.markers import PACKET, RATE, Sound, marker

PACKETS = 300
A, B = 10000, 10002
OFFSET = 75
"""Samples that B's packets are behind A's."""


def flow(port: int, first: int = 120, packets: int = PACKETS) -> Sound:
    """What a phone says; its packets have numbers with each of the codes of silence."""
    numbers = range(first, first + packets)
    return np.concatenate([marker(port, one, 2**60 + 20_000_000 * one) for one in numbers])


def mixed(offset: int = OFFSET) -> Sound:
    sound = np.zeros(PACKET * PACKETS + 200, np.int16)
    sound[: PACKET * PACKETS] += flow(A)
    sound[offset : offset + PACKET * PACKETS] += flow(B)
    return sound


def judged(tmp_path: Path, *sounds: Sound) -> str:
    recordings = []
    for number, sound in enumerate(sounds):
        path = tmp_path / f"{number}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(sound.astype("<i2").tobytes())
        recordings.append((path, PACKETS, (A, B)))
    return fault(recordings)


@pytest.mark.parametrize("first", [0, 0x7F, 0xFF, 0x7EFF])
def test_what_was_said_is_no_fault(tmp_path: Path, first: int) -> None:
    sound = np.zeros(PACKET * PACKETS + 200, np.int16)
    sound[: PACKET * PACKETS] += flow(A, first)
    sound[OFFSET : OFFSET + PACKET * PACKETS] += flow(B, first + 3)
    assert judged(tmp_path, sound) == ""


def test_it_may_end_within_a_packet(tmp_path: Path) -> None:
    assert judged(tmp_path, mixed()[: -200 - PACKET + OFFSET + 10]) == ""


@pytest.mark.parametrize("packet", [0, 1, PACKETS // 2, PACKETS - 1])
def test_a_packet_that_is_missing(tmp_path: Path, packet: int) -> None:
    """At the very begin and end one may be: the recording began later, or ended sooner."""
    sound = mixed()
    at = PACKET * packet
    sound[at : at + 20] = 0
    said = judged(tmp_path, mixed(), sound)
    assert bool(said) == (0 < packet < PACKETS - 1)


@pytest.mark.parametrize("by", [-1, 1, PACKET])
def test_what_comes_in_the_wrong_place(tmp_path: Path, by: int) -> None:
    sound = mixed()
    half = PACKET * PACKETS // 2
    sound[half:] = np.roll(sound[half:], by)
    assert judged(tmp_path, sound)


def test_one_sample_of_somebody_else(tmp_path: Path) -> None:
    sound = mixed()
    sound[100 * PACKET + 50] = 4
    assert judged(tmp_path, sound) == "a recording isn't what was said: sample 16050 is nobody's"


def test_one_party_only(tmp_path: Path) -> None:
    sound = mixed()
    sound[: PACKET * PACKETS] -= flow(A)
    assert judged(tmp_path, sound) == f"a recording isn't what was said: nothing of {A}"


@pytest.mark.parametrize("offset", [0, 9, 150])
def test_where_both_fall_together_another_is_judged(tmp_path: Path, offset: int) -> None:
    together = mixed(offset)
    assert judged(tmp_path, mixed(), together) == ""
    assert "fall together" in judged(tmp_path, together)


def test_a_silent_one_and_a_short_one(tmp_path: Path) -> None:
    assert judged(tmp_path, 0 * mixed()) == "a recording is silent"
    assert "samples" in judged(tmp_path, mixed()[: RATE * 5])
