"""What G.726's predictor does for each of six zeros and two poles: for all eight at once.

Both operations work on a decoder's state, whose first `LANES` words are the coefficients, those of
the poles last, and the next `LANES` what they are multiplied by. They exist in compiled code only.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils as _cgutils
from numba.core import types
from numba.core.extending import intrinsic
from numba.np import arrayobj as _arrayobj

LANES = 8
ZEROS = 6

# numba's decorator is typed as if intrinsics were called with the typing context.
_intrinsic: Any = intrinsic
_get_or_insert: Any = _cgutils.get_or_insert_function
_array_of: Any = _arrayobj.make_array
_tuple_of: Any = types.UniTuple

_i64 = types.int64
_number, _word, _bit = ir.IntType(16), ir.IntType(64), ir.IntType(1)
_eight = ir.VectorType(_number, LANES)
_BY_LANE = "v8i16"


def _all(number: int) -> Any:
    return ir.Constant(_eight, [number] * LANES)


def _call(builder: Any, name: str, *vectors: Any, flag: bool = False) -> Any:
    """Call one of LLVM's own functions that work on each lane."""
    extra = [ir.Constant(_bit, 0)] if flag else []
    kind = ir.FunctionType(_eight, [_eight] * len(vectors) + [_bit] * len(extra))
    function = _get_or_insert(builder.module, kind, f"llvm.{name}.{_BY_LANE}")
    return builder.call(function, [*vectors, *extra])


def _sum(builder: Any, vector: Any) -> Any:
    """Return the sum of all lanes, which wraps at 16 bits, as 64 bits."""
    kind = ir.FunctionType(_number, [_eight])
    function = _get_or_insert(builder.module, kind, f"llvm.vector.reduce.add.{_BY_LANE}")
    return builder.sext(builder.call(function, [vector]), _word)


def _places(context: Any, builder: Any, kind: Any, memory: Any) -> Sequence[Any]:
    """Return where the coefficients are, and what they are multiplied by."""
    first = builder.bitcast(_array_of(kind)(context, builder, memory).data, _eight.as_pointer())
    return first, builder.gep(first, [ir.Constant(_word, 1)])


def _shifted(builder: Any, numbers: Any, places: Any) -> Any:
    """Return unsigned numbers moved to the left by `places`, or to the right where that is negative."""
    left = _call(builder, "smax", places, _all(0))
    right = _call(builder, "smax", builder.sub(_all(0), places), _all(0))
    # Of no more than 15 bits nothing is left then.
    right = _call(builder, "smin", right, _all(15))
    return builder.shl(builder.lshr(numbers, right), left)


def _with_sign(builder: Any, numbers: Any, negative: Any) -> Any:
    """Return numbers, their sign turned where `negative` is -1 and not 0."""
    return builder.sub(builder.xor(numbers, negative), negative)


def _products(builder: Any, weights: Any, heard: Any) -> Any:
    """FMULT"""
    size = _call(builder, "abs", builder.ashr(weights, _all(2)), flag=True)
    size = builder.and_(size, _all(8191))
    exponent = builder.sub(_all(16), _call(builder, "ctlz", size, flag=True))
    mantissa = _shifted(builder, size, builder.sub(_all(6), exponent))
    nothing = builder.icmp_signed("==", size, _all(0))
    mantissa = builder.select(nothing, _all(32), mantissa)
    exponent = builder.add(exponent, builder.and_(builder.lshr(heard, _all(6)), _all(15)))
    product = builder.mul(mantissa, builder.and_(heard, _all(63)))
    product = builder.shl(builder.lshr(builder.add(product, _all(48)), _all(4)), _all(7))
    product = _shifted(builder, product, builder.sub(exponent, _all(26)))
    signs = builder.xor(builder.shl(heard, _all(5)), weights)
    negative = builder.ashr(signs, _all(15))
    return _with_sign(builder, builder.and_(product, _all(32767)), negative)


@_intrinsic
def predict(typing_context: Any, memory: Any) -> Any:
    """Return what the zeros make of it, and zeros and poles together: FMULT, ACCUM, of 16 bits each."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        weights, heard = _places(context, builder, memory, arguments[0])
        parts = _products(builder, builder.load(weights, align=2), builder.load(heard, align=2))
        zeros_only = ir.Constant(_eight, [-1] * ZEROS + [0] * (LANES - ZEROS))
        sums = [_sum(builder, builder.and_(parts, zeros_only)), _sum(builder, parts)]
        return context.make_tuple(builder, signature.return_type, sums)

    return _tuple_of(_i64, 2)(memory), generate


@_intrinsic
def adapt(
    typing_context: Any,
    memory: Any,
    negative: Any,
    step: Any,
    difference: Any,
    first: Any,
    second: Any,
    signal: Any,
) -> Any:
    """XOR, UPB, and all delays.

    Args:
        memory: the decoder's state.
        negative: 1: the difference is negative.
        step: by how much a zero's coefficient moves.
        difference, signal: the newest ones, as floats.
        first, second: the poles' coefficients from now on.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        narrow = [builder.trunc(number, _number) for number in arguments[1:]]

        def lane(vector: Any, place: int, number: Any) -> Any:
            return builder.insert_element(vector, number, ir.Constant(ir.IntType(32), place))

        def of_all(number: Any) -> Any:
            one = lane(ir.Constant(_eight, ir.Undefined), 0, number)
            order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(one, one, order)

        weights_at, heard_at = _places(context, builder, memory, arguments[0])
        weights, heard = builder.load(weights_at, align=2), builder.load(heard_at, align=2)
        minus = builder.sub(_all(0), of_all(narrow[0]))
        turned = builder.xor(builder.ashr(builder.shl(heard, _all(5)), _all(15)), minus)
        moved = builder.add(weights, _with_sign(builder, of_all(narrow[1]), turned))
        weights = builder.sub(moved, builder.ashr(weights, _all(8)))
        weights = lane(lane(weights, ZEROS, narrow[3]), ZEROS + 1, narrow[4])
        # Each becomes one older: lanes 0 to 4 and 6 go up by one.
        order = [0, *range(ZEROS - 1), ZEROS, ZEROS]
        older = ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)
        heard = builder.shuffle_vector(heard, heard, older)
        heard = lane(lane(heard, 0, narrow[2]), ZEROS, narrow[5])
        builder.store(weights, weights_at, align=2)
        builder.store(heard, heard_at, align=2)
        return context.get_dummy_value()

    return types.void(memory, *[_i64] * 6), generate
