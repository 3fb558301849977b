"""The kernels as a Raspberry Pi's LLVM makes them, run in an emulator: the same bits as here.

Each of them for the board with the simplest processor, and some for the others, on a few frames;
`./build.sh bench arm` does them all, on all boards, on many.
"""

import functools
from collections.abc import Mapping

import pytest

from tests.bench.arm.boards import Compiled, compile_for, differing, executed
from tests.bench.arm.cycles import is_vector
from tests.bench.arm.emulate import Run
from tests.bench.arm.material import QUICK
from tests.bench.arm.subjects import subjects

SIMPLEST = "cortex-a53"
SUBJECTS = {subject.name: subject for subject in subjects()}
IN_VECTORS = ("decode_ulaw", "encode_alaw", "mix_minus", "energy", "up_8_16", "add_sine")
ELSEWHERE = ("encode_alaw", "mix_minus", "down_48_8", "make_noise")
# Compiling takes most of the time, which a busy machine has little of.
pytestmark = pytest.mark.timeout(600)

CASES = [
    *((SIMPLEST, name) for name in SUBJECTS),
    *((board, name) for board in ("cortex-a72", "cortex-a76") for name in ELSEWHERE),
]


@functools.cache
def code(board: str) -> Mapping[str, Compiled]:
    return compile_for(board, [SUBJECTS[name] for cpu, name in CASES if cpu == board])


def vectors_in_hottest_block(done: Run) -> float:
    block = max(done.blocks, key=lambda block: len(block.text) * block.times)
    return sum(map(is_vector, block.text)) / len(block.text)


@pytest.mark.parametrize(("board", "name"), CASES)
def test_same_bits(board: str, name: str) -> None:
    assert not differing(SUBJECTS[name], code(board)[name], QUICK)


@pytest.mark.parametrize("name", IN_VECTORS)
def test_vectors(name: str) -> None:
    done = executed(SUBJECTS[name], code(SIMPLEST)[name])
    # What isn't a vector is the loop itself: an address, a count, a branch.
    assert vectors_in_hottest_block(done) > 0.6
    # No number of ours is so wide that only two of them fit into a register.
    wide = [text for text in done.trace if ".2d" in text and "movi" not in text]
    assert name == "energy" or not wide


def test_code_that_does_something_else_is_found() -> None:
    ulaw, alaw = SUBJECTS["encode_ulaw"], SUBJECTS["encode_alaw"]
    assert differing(ulaw, code(SIMPLEST)[alaw.name], QUICK)
