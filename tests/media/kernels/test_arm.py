"""The kernels as a Raspberry Pi's LLVM makes them, run in an emulator: the same bits as here.

A few of them, for the board with the simplest processor; `./build.sh bench arm` does them all.
"""

from collections.abc import Mapping

import pytest

from tests.bench.arm.boards import Compiled, compile_for, same_bits
from tests.bench.arm.cycles import is_vector
from tests.bench.arm.emulate import Run
from tests.bench.arm.subjects import Subject, subjects

NAMES = ("decode_ulaw", "encode_alaw", "mix_minus", "energy", "up_8_16", "add_sine")


@pytest.fixture(scope="module")
def code() -> Mapping[str, Compiled]:
    return compile_for("cortex-a53", NAMES)


@pytest.fixture(params=NAMES)
def subject(request: pytest.FixtureRequest) -> Subject:
    (found,) = (subject for subject in subjects() if subject.name == request.param)
    return found


def vectors_in_hottest_block(executed: Run) -> float:
    block = max(executed.blocks, key=lambda block: len(block.text) * block.times)
    return sum(map(is_vector, block.text)) / len(block.text)


def test_same_bits_in_vectors(code: Mapping[str, Compiled], subject: Subject) -> None:
    same, executed = same_bits(subject, code[subject.name])
    assert same
    # What isn't a vector is the loop itself: an address, a count, a branch.
    assert vectors_in_hottest_block(executed) > 0.6
    # No number of ours is so wide that only two of them fit into a register.
    wide = [text for text in executed.trace if ".2d" in text and "movi" not in text]
    assert subject.name == "energy" or not wide
