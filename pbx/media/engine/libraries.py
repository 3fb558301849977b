"""Codec and SRTP libraries of the system: what is there, and where their functions are.

Kernels call them through a table of addresses, not by symbol name: a symbol that is missing would
keep the whole packet loop from being linked, and a kernel compiled where a library is missing
would be another than the one compiled where it's there. So one cached kernel fits every machine,
and a function that isn't there is a 0 in the table.
"""

import contextlib
import ctypes
import logging
from dataclasses import dataclass, field

import numpy as np

from pbx.media import codecs
from pbx.media.engine.tables import Words

_log = logging.getLogger(__name__)

# --- columns of the table -------------------------------------------------------------------------
GSM_DECODE = 0
GSM_ENCODE = 1
G726_ENCODE = 2
OPUS_DECODE = 3
OPUS_ENCODE = 4
G729_DECODE = 5
G729_ENCODE = 6
SRTP_PROTECT = 7
SRTP_UNPROTECT = 8
SRTCP_PROTECT = 9
SRTCP_UNPROTECT = 10
SRTP_TURNS = 11
WIDTH = 16


@dataclass(frozen=True, slots=True)
class _Library:
    """One shared library.

    Args:
        soname: what the dynamic linker knows it by.
        package: the Debian package that has it.
        purpose: what can't be done without it.
        codecs: the codecs that need it.
        functions: the functions that kernels call, by their column.
        optional: nobody is told that it's missing.
    """

    soname: str
    package: str
    purpose: str
    codecs: tuple[int, ...]
    functions: dict[int, str]
    optional: bool = False


SPANDSP = "libspandsp.so.2"
OPUS = "libopus.so.0"
SRTP = "libsrtp2.so.1"
BCG729 = "libbcg729.so.0"

_LIBRARIES = (
    _Library(
        SPANDSP,
        "libspandsp2",
        "GSM and G.726 cannot be converted",
        (codecs.GSM, codecs.G726_32, codecs.AAL2_G726_32),
        {
            GSM_DECODE: "gsm0610_decode",
            GSM_ENCODE: "gsm0610_encode",
            G726_ENCODE: "g726_encode",
        },
    ),
    _Library(
        OPUS,
        "libopus0",
        "Opus cannot be converted",
        (codecs.OPUS,),
        {OPUS_DECODE: "opus_decode", OPUS_ENCODE: "opus_encode"},
    ),
    _Library(
        SRTP,
        "libsrtp2-1",
        "media cannot be encrypted",
        (),
        {
            SRTP_PROTECT: "srtp_protect",
            SRTP_UNPROTECT: "srtp_unprotect",
            SRTCP_PROTECT: "srtp_protect_rtcp",
            SRTCP_UNPROTECT: "srtp_unprotect_rtcp",
            SRTP_TURNS: "srtp_get_stream_roc",
        },
    ),
    # Its licence is the GPL: never shipped with the exchange; whoever installs it has G.729.
    _Library(
        BCG729,
        "libbcg729-0",
        "G.729 cannot be converted",
        (codecs.G729,),
        {G729_DECODE: "bcg729Decoder", G729_ENCODE: "bcg729Encoder"},
        optional=True,
    ),
)

_OWN = frozenset(
    (codecs.PCMU, codecs.PCMA, codecs.L16_8000, codecs.L16_16000, codecs.L16_48000, codecs.G722)
)


@dataclass(frozen=True, slots=True)
class Libraries:
    """What this machine has.

    Args:
        functions: addresses by this module's columns; 0 where a function is missing.
        loaded: the libraries, by soname.
        codecs: the numbers of the codecs that can be decoded and encoded.
        missing: one sentence for each library that isn't there but belongs to an exchange.
    """

    functions: Words
    loaded: dict[str, ctypes.CDLL] = field(default_factory=dict)
    codecs: frozenset[int] = _OWN
    missing: tuple[str, ...] = ()


def load_libraries(without: frozenset[str] = frozenset()) -> Libraries:
    """Load what is there; the libraries stay loaded until the process ends.

    Args:
        without: sonames to do without.
    """
    functions = np.zeros(WIDTH, np.int64)
    loaded: dict[str, ctypes.CDLL] = {}
    known = set(_OWN)
    missing = []
    for library in _LIBRARIES:
        addresses: dict[int, int] = {}
        with contextlib.suppress(OSError, AttributeError):
            if library.soname not in without:
                handle = ctypes.CDLL(library.soname)
                for column, name in library.functions.items():
                    addresses[column] = _address(handle, name)
        # A library without one of its functions is another one than we know.
        if not addresses or len(addresses) < len(library.functions):
            if not library.optional:
                missing.append(
                    f"{library.soname} is missing (Debian's package {library.package}): "
                    f"{library.purpose}"
                )
            continue
        loaded[library.soname] = handle
        known.update(library.codecs)
        for column, address in addresses.items():
            functions[column] = address
    return Libraries(functions, loaded, frozenset(known), tuple(missing))


def _address(handle: ctypes.CDLL, name: str) -> int:
    return ctypes.cast(getattr(handle, name), ctypes.c_void_p).value or 0
