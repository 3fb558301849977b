"""How packets become sound: by their timestamps, whenever and in whatever order they came."""

from dataclasses import replace

import numpy as np
import pytest

from pbx.media import codecs
from tests.bench.networks.hearing import Playout, play
from tests.bench.networks.voice import PIECE, RATE, speech
from tests.media.kernels.coders import encoder
from tests.media.kernels.networks import Packet
from tests.media.kernels.sound import rms

BEGUN = 50.0
COUNT = 50

Come = list[tuple[float, Packet]]


def stream(codec: int = codecs.PCMU) -> Come:
    """A second of the talk, each packet on time; the numbers begin anew in it."""
    known = codecs.codec(codec)
    with encoder(codec) as coder:
        sound = np.repeat(speech(COUNT / 50), known.pcm_rate // RATE)
        payloads = coder.frames(sound, known.pcm_rate // 50)
    return [
        (
            BEGUN + 0.02 * number,
            Packet(
                0,
                (65520 + number) & 0xFFFF,
                (0xFFFFFF00 + number * known.rtp_clock // 50) & 0xFFFFFFFF,
                payload,
            ),
        )
        for number, payload in enumerate(payloads)
    ]


def heard(come: Come, codec: int = codecs.PCMU) -> Playout:
    return play(come, codec, BEGUN, COUNT / 50 + 0.5)


def piece(number: int) -> slice:
    return slice(number * PIECE, (number + 1) * PIECE)


@pytest.mark.parametrize("codec", [codecs.PCMU, codecs.G722])
def test_all_in_time(codec: int) -> None:
    playout = heard(stream(codec), codec)
    assert len(playout.sound) == 1.5 * RATE
    talk = slice(0, COUNT * PIECE)
    assert np.allclose(playout.wait_ms[talk], 0, atol=1e-6)
    assert rms(playout.sound[talk]) == pytest.approx(rms(speech(1.0)), rel=0.05)
    assert rms(playout.after(1000)[(COUNT + 1) * PIECE :]) < 10


def test_what_is_missing_is_silent_and_the_rest_in_its_place() -> None:
    whole, come = heard(stream()), stream()
    del come[20]
    holed = heard(come)
    assert not holed.after(1000)[piece(20)].any()
    assert np.array_equal(holed.sound[21 * PIECE :], whole.sound[21 * PIECE :])


def test_order_and_copies_change_nothing() -> None:
    whole, come = heard(stream()), stream()
    come[10], come[11] = come[11], come[10]
    come.insert(31, (come[30][0] + 0.01, come[30][1]))
    assert np.array_equal(heard(come).sound, whole.sound)


def test_what_is_late_has_to_be_waited_for() -> None:
    come = stream()
    come[20] = come[20][0] + 0.035, come[20][1]
    playout = heard(come)
    assert not playout.after(34)[piece(20)].any()
    assert playout.after(36)[piece(20)].any()
    assert playout.after(0)[piece(21)].any()


@pytest.mark.parametrize("change", ["source", "timestamps"])
def test_another_beginning_is_on_time_again(change: str) -> None:
    come = stream()
    shift, ssrc = (80_000, 7) if change == "timestamps" else (0, 9)
    for number in range(25, COUNT):
        when, packet = come[number]
        timestamp = (packet.timestamp + shift) & 0xFFFFFFFF
        come[number] = when, replace(packet, timestamp=timestamp, ssrc=ssrc)
    playout = heard(come)
    assert np.array_equal(playout.sound, heard(stream()).sound)
    assert np.allclose(playout.wait_ms[: COUNT * PIECE], 0, atol=1e-6)
