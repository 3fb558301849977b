"""Eight sines at once, for `tones` and `detect` on ARM: the same numbers as `tones.sine`'s.

From a loop over `tones.sine` LLVM makes products of 32 bits, which cost a Cortex-A72 twice those of 16:
where it knows how large a number is, it no longer makes 16 bits of it. Here it is kept from knowing. On
x86-64 that loop is better, with vectors twice as wide. All this exists in compiled code only.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils as _cgutils
from numba.core import types
from numba.core.extending import intrinsic
from numba.np import arrayobj as _arrayobj

LANES = 8

# sin(pi/2 z) = z (c1 + c3 z^2 + c5 z^4 + c7 z^6) with the least greatest error, and so much less
# that no sine reaches 32768.
C7 = round(0.99997 * -0.00433309 * 2**14)
C5 = round(0.99997 * 0.07943434 * 2**29)
C3 = round(0.99997 * -0.64589285 * 2**30)
C1 = round(0.99997 * 1.57079101 * 2**30)

# numba's decorator is typed as if intrinsics were called with the typing context.
_intrinsic: Any = intrinsic
_get_or_insert: Any = _cgutils.get_or_insert_function
_array_of: Any = _arrayobj.make_array
_tuple_of: Any = types.UniTuple

_i16, _i32, _i64 = types.int16, types.int32, types.int64
_half, _word = ir.IntType(16), ir.IntType(32)
_halves, _words = ir.VectorType(_half, LANES), ir.VectorType(_word, LANES)


def _is_arm(builder: Any) -> bool:
    return bool(builder.module.triple.startswith("aarch64"))


def _order(*lanes: int) -> Any:
    return ir.Constant(ir.VectorType(_word, len(lanes)), list(lanes))


def _all(kind: Any, number: int) -> Any:
    return ir.Constant(kind, [number] * LANES)


def _of_all(builder: Any, kind: Any, number: Any) -> Any:
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, _word(0))
    return builder.shuffle_vector(first, first, _order(*[0] * LANES))


def _unknown(builder: Any, vector: Any) -> Any:
    """Return a vector, of one register, as one of which nothing is known."""
    register = "w" if _is_arm(builder) else "x"
    kind = ir.FunctionType(vector.type, [vector.type])
    return builder.asm(kind, "", f"={register},0", [vector], False)


def _narrow(builder: Any, words: Any, places: int) -> Any:
    """Return words >> places as numbers of 16 bits, which they must fit into."""
    halves = builder.trunc(builder.ashr(words, _all(_words, places)), _halves)
    return _unknown(builder, halves)


def _product(builder: Any, one: Any, other: Any, more: int) -> Any:
    """Return the products of numbers of 16 bits, and something more."""
    words = builder.mul(builder.sext(one, _words), builder.sext(other, _words))
    return builder.add(words, _all(_words, more))


def _sines(builder: Any, phases: Any) -> Any:
    high = builder.trunc(builder.ashr(phases, _all(_words, 16)), _halves)
    twice = builder.shl(high, _all(_halves, 1))
    mirrored = builder.ashr(builder.xor(high, twice), _all(_halves, 15))
    kind = ir.FunctionType(_halves, [_halves, _halves])
    greater = _get_or_insert(builder.module, kind, "llvm.smax.v8i16")
    z = builder.call(greater, [builder.xor(twice, mirrored), _all(_halves, -32767)])
    z = _unknown(builder, z)
    square = _narrow(builder, _product(builder, z, z, 0), 15)
    total = _product(builder, square, _all(_halves, C7), C5)
    # Half a register each; of bits that are shifted away nothing must be known either.
    parts = [
        _unknown(builder, builder.shuffle_vector(total, total, _order(*range(at, at + LANES // 2))))
        for at in (0, LANES // 2)
    ]
    total = builder.shuffle_vector(*parts, _order(*range(LANES)))
    total = _narrow(builder, total, 14)
    total = _narrow(builder, _product(builder, square, total, C3), 15)
    total = _narrow(builder, _product(builder, square, total, C1 + (1 << 15)), 16)
    return _narrow(builder, _product(builder, z, total, 1 << 13), 14)


def _phases(builder: Any, phase: Any, step: Any) -> Any:
    steps = builder.mul(_of_all(builder, _words, step), ir.Constant(_words, list(range(LANES))))
    return builder.add(_of_all(builder, _words, phase), steps)


def _eight_at(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    start = builder.gep(_array_of(kind)(context, builder, array).data, [place])
    return builder.bitcast(start, _halves.as_pointer())


@_intrinsic
def in_eights(typing_context: Any, samples: Any) -> Any:
    """Return how many samples, from the first one on, are better done eight at a time; a multiple of eight."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (samples,) = arguments
        return builder.and_(samples, samples.type(-LANES if _is_arm(builder) else 0))

    return _i64(_i64), generate


@_intrinsic
def add_sines(typing_context: Any, phase: Any, step: Any, peak: Any, out: Any, place: Any) -> Any:
    """Add one sine to eight samples of `out` from `place` on; they must be there.

    Args:
        phase: of the first of them, 32 bits.
        step: what it grows by with each.
        peak: 0 to 32767.
        out: int16.
        place: where they begin.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        phase, step, peak, _, place = arguments
        at = _eight_at(context, builder, out, arguments[3], place)
        heard = _sines(builder, _phases(builder, phase, step))
        heard = _product(builder, heard, _of_all(builder, _halves, peak), 1 << 14)
        before = builder.sext(builder.load(at, align=2), _words)
        total = builder.add(builder.ashr(heard, _all(_words, 15)), before)
        kind = ir.FunctionType(_words, [_words, _words])
        for name, bound in (("smax", -32768), ("smin", 32767)):
            function = _get_or_insert(builder.module, kind, f"llvm.{name}.v8i32")
            total = builder.call(function, [total, _all(_words, bound)])
        builder.store(builder.trunc(total, _halves), at, align=2)
        return context.get_dummy_value()

    return types.void(_i32, _i32, _i16, out, _i64), generate


@_intrinsic
def by_sines(typing_context: Any, phase: Any, step: Any, pcm: Any, place: Any) -> Any:
    """Return eight samples' products with a cosine and with a sine, each >> 10, added up.

    Args:
        phase: of the first of them, 32 bits.
        step: what it grows by with each.
        pcm: int16.
        place: where they begin; they must be there.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        phase, step, _, place = arguments
        sound = builder.load(_eight_at(context, builder, pcm, arguments[2], place), align=2)
        phases = _phases(builder, phase, step)
        quarter = builder.add(phases, _all(_words, 1 << 30))
        kind = ir.FunctionType(_word, [_words])
        reduce = _get_or_insert(builder.module, kind, "llvm.vector.reduce.add.v8i32")
        sums = []
        for angles in (quarter, phases):
            parts = _product(builder, sound, _sines(builder, angles), 0)
            sums.append(builder.call(reduce, [builder.ashr(parts, _all(_words, 10))]))
        return context.make_tuple(builder, signature.return_type, sums)

    return _tuple_of(_i32, 2)(_i32, _i32, pcm, _i64), generate
