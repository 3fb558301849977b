"""Libraries that are there, and such that aren't."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.engine import coder, libraries, srtp
from pbx.media.engine.coder import CoderError
from pbx.media.engine.libraries import BCG729, OPUS, SPANDSP, SRTP, load_libraries
from tests.media.kernels.coders import LIBRARIES, Decoder, Encoder

ALL = frozenset((BCG729, OPUS, SPANDSP, SRTP))


class TestWhatIsThere:
    def test_the_tests_have_all_that_an_exchange_has(self) -> None:
        assert LIBRARIES.missing == ()
        assert set(LIBRARIES.loaded) >= {OPUS, SPANDSP, SRTP}

    def test_every_function_has_an_address(self) -> None:
        for column in range(libraries.SRTCP_UNPROTECT + 1):
            if column not in (libraries.G729_DECODE, libraries.G729_ENCODE):
                assert LIBRARIES.functions[column] != 0

    def test_nothing_is_said_of_a_plug_in(self) -> None:
        without = load_libraries(frozenset((BCG729,)))
        assert without.missing == ()
        assert codecs.G729 not in without.codecs


class TestWhatIsMissing:
    def test_it_is_said(self) -> None:
        without = load_libraries(ALL)
        assert len(without.missing) == 3
        assert without.missing[1] == (
            "libopus.so.0 is missing (Debian's package libopus0): Opus cannot be converted"
        )
        assert not without.functions.any()

    def test_our_own_codecs_remain(self) -> None:
        assert load_libraries(ALL).codecs == {
            codecs.PCMU,
            codecs.PCMA,
            codecs.L16_8000,
            codecs.L16_16000,
            codecs.L16_48000,
            codecs.G722,
        }

    def test_the_others_cannot_be_opened(self) -> None:
        without = load_libraries(ALL)
        row, memory = coder.make_row(), coder.make_memory()
        for number in (codecs.OPUS, codecs.GSM, codecs.G726_32, codecs.G729):
            with pytest.raises(CoderError, match="not installed"):
                coder.open_decoder(without, number, row, memory)
            with pytest.raises(CoderError, match="not installed"):
                coder.open_encoder(without, number, row, memory)
        with pytest.raises(srtp.SrtpError, match="not installed"):
            srtp.open_session(without, srtp.PROFILES[0].name, bytes(44), 0)
        assert srtp.suites(without) == []

    def test_nor_called(self) -> None:
        without = load_libraries(ALL)
        for number in (codecs.OPUS, codecs.GSM, codecs.G726_32, codecs.G729):
            row, memory = coder.make_row(), coder.make_memory()
            row[0] = number
            if number != codecs.G726_32:  # what decodes it is our own
                assert len(Decoder(without, row, memory).decode(b"\xd0" + bytes(39))) == 0
            assert Encoder(without, row, memory).encode(np.zeros(960, np.int16)) == b""


PROGRAM = """
import sys, numba, numpy as np
from pathlib import Path
from pbx.media.engine.kernel_cache import use
use(Path(sys.argv[1]))
from pbx.media import codecs
from pbx.media.engine import coder
from pbx.media.engine.libraries import G726_ENCODE, load_libraries
from pbx.media.engine.native import call_function, entry_kernel

@entry_kernel
def octets_of(functions, state, pcm, payload):
    if functions[G726_ENCODE] == 0:
        return -1
    return call_function(functions[G726_ENCODE], (state, pcm.ctypes.data, payload.ctypes.data, 80))

libraries = load_libraries(frozenset(sys.argv[2:]))
state = np.zeros(8, np.int64)
if codecs.G726_32 in libraries.codecs:
    coder.open_encoder(libraries, codecs.G726_32, state, coder.make_memory())
pcm, payload = np.zeros(160, np.int16), np.zeros(80, np.uint8)
arguments = (libraries.functions, state[1], payload, pcm)
octets_of.compile(tuple(numba.typeof(one) for one in arguments))
print(octets_of(*arguments), sum(octets_of.stats.cache_misses.values()))
"""


class TestOneCacheForEveryMachine:
    def run(self, folder: Path, *without: str) -> str:
        (folder / "program.py").write_text(PROGRAM)
        done = subprocess.run(
            [sys.executable, folder / "program.py", folder / "cache", *without],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
        return done.stdout.strip()

    def test_a_kernel_is_compiled_once(self, tmp_path: Path) -> None:
        """With the library or without it, in another process, at another address."""
        assert self.run(tmp_path, SPANDSP) == "-1 1"
        assert self.run(tmp_path) == "40 0"
        assert self.run(tmp_path) == "40 0"
