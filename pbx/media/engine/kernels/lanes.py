"""Integer operations of an exact width.

numba widens 16- and 32-bit arithmetic to 64 bits. Where LLVM can't prove the narrow form equal
(shifts by a variable, clamps, compares), a vector register then holds two numbers instead of
eight. Each operation here is one or two machine operations of exactly its width, and gives the
same bits on every machine. They exist in compiled code only.

Names end in the width that they work in; what is handed in is cut to it. Nothing here saturates,
except what says so.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils as _cgutils
from numba.core import types
from numba.core.extending import intrinsic
from numba.np import arrayobj as _arrayobj

_i16, _i32, _i64 = types.int16, types.int32, types.int64
_tuple_of: Any = types.UniTuple
_pair = _tuple_of(_i32, 2)
_bit = ir.IntType(1)

# numba's decorator is typed as if intrinsics were called with the typing context.
_intrinsic: Any = intrinsic
_get_or_insert: Any = _cgutils.get_or_insert_function
_array_of: Any = _arrayobj.make_array

Generate = Callable[[Any, Any, Any, Any], Any]


def _instruction(name: str) -> Generate:
    """Return a generator of one instruction of llvmlite's builder."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, name)(*arguments)

    return generate


def _llvm(name: str, *flags: int) -> Generate:
    """Return a generator of a call of one of LLVM's own functions, of the arguments' type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = arguments[0].type
        extra = [ir.Constant(_bit, flag) for flag in flags]
        wanted = ir.FunctionType(whole, [whole] * len(arguments) + [_bit] * len(extra))
        function = _get_or_insert(builder.module, wanted, f"llvm.{name}.i{whole.width}")
        return builder.call(function, [*arguments, *extra])

    return generate


# --- 16 bits ------------------------------------------------------------------------------------


@_intrinsic
def add16(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a + b; it wraps."""
    return _i16(_i16, _i16), _instruction("add")


@_intrinsic
def sub16(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a - b; it wraps."""
    return _i16(_i16, _i16), _instruction("sub")


@_intrinsic
def and16(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the bits that both have."""
    return _i16(_i16, _i16), _instruction("and_")


@_intrinsic
def or16(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the bits that one of them has."""
    return _i16(_i16, _i16), _instruction("or_")


@_intrinsic
def xor16(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the bits that only one of them has."""
    return _i16(_i16, _i16), _instruction("xor")


@_intrinsic
def shl16(typing_context: Any, a: Any, places: Any) -> Any:
    """Return a << places; `places` must be 0 to 15."""
    return _i16(_i16, _i16), _instruction("shl")


@_intrinsic
def shr16(typing_context: Any, a: Any, places: Any) -> Any:
    """Return a >> places of the bits as they stand: zeros come in from the left."""
    return _i16(_i16, _i16), _instruction("lshr")


@_intrinsic
def sar16(typing_context: Any, a: Any, places: Any) -> Any:
    """Return a >> places of the signed number, rounded down."""
    return _i16(_i16, _i16), _instruction("ashr")


@_intrinsic
def min16(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the lesser of two signed numbers."""
    return _i16(_i16, _i16), _llvm("smin")


@_intrinsic
def max16(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the greater of two signed numbers."""
    return _i16(_i16, _i16), _llvm("smax")


@_intrinsic
def clz16(typing_context: Any, a: Any) -> Any:
    """Return how many zeros the 16 bits begin with; 16 for zero."""
    return _i16(_i16), _llvm("ctlz", 0)


# --- 32 bits ------------------------------------------------------------------------------------


@_intrinsic
def add32(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a + b; it wraps."""
    return _i32(_i32, _i32), _instruction("add")


@_intrinsic
def sub32(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a - b; it wraps."""
    return _i32(_i32, _i32), _instruction("sub")


@_intrinsic
def mul32(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the low 32 bits of a * b."""
    return _i32(_i32, _i32), _instruction("mul")


@_intrinsic
def sar32(typing_context: Any, a: Any, places: Any) -> Any:
    """Return a >> places of the signed number, rounded down; `places` must be 0 to 31."""
    return _i32(_i32, _i32), _instruction("ashr")


@_intrinsic
def min32(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the lesser of two signed numbers."""
    return _i32(_i32, _i32), _llvm("smin")


@_intrinsic
def max32(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the greater of two signed numbers."""
    return _i32(_i32, _i32), _llvm("smax")


@_intrinsic
def abs32(typing_context: Any, a: Any) -> Any:
    """Return |a|; -2147483648 stays what it is."""
    return _i32(_i32), _llvm("abs", 0)


# --- from one width to the next -----------------------------------------------------------------


def _product(builder: Any, a: Any, b: Any) -> Any:
    wide = ir.IntType(32)
    return builder.mul(builder.sext(a, wide), builder.sext(b, wide))


@_intrinsic
def mul16(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the whole product of two 16-bit numbers, 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _product(builder, *arguments)

    return _i32(_i16, _i16), generate


@_intrinsic
def mac16(typing_context: Any, total: Any, a: Any, b: Any) -> Any:
    """Return the 32-bit `total` plus the product of two 16-bit numbers; it wraps."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.add(arguments[0], _product(builder, arguments[1], arguments[2]))

    return _i32(_i32, _i16, _i16), generate


@_intrinsic
def sat16(typing_context: Any, a: Any) -> Any:
    """Return the 32-bit number as 16 bits; what doesn't fit becomes the nearest that does."""
    least, most = _llvm("smax"), _llvm("smin")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(32)
        raised = least(context, builder, signature, [arguments[0], ir.Constant(wide, -0x8000)])
        clamped = most(context, builder, signature, [raised, ir.Constant(wide, 0x7FFF)])
        return builder.trunc(clamped, ir.IntType(16))

    return _i16(_i32), generate


@_intrinsic
def square_to_64(typing_context: Any, a: Any) -> Any:
    """Return the square of a 16-bit number as 64 bits, for sums of thousands of them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sext(_product(builder, arguments[0], arguments[0]), ir.IntType(64))

    return _i64(_i16), generate


# --- tables -------------------------------------------------------------------------------------


@_intrinsic
def by_register(typing_context: Any, table: Any) -> Any:
    """Return a constant table as one whose address the compiler doesn't know.

    Compiled code may lie anywhere, so an address takes four instructions; where a loop is unrolled,
    the compiler makes one for each number of a table. What it doesn't know stays in a register.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = _array_of(table)(context, builder, arguments[0])
        kind = made.data.type
        made.data = builder.asm(ir.FunctionType(kind, [kind]), "", "=r,0", [made.data], False)
        return made._getvalue()

    return table(table), generate


# --- sums of products ---------------------------------------------------------------------------

_EIGHT = 8
_words = ir.VectorType(ir.IntType(16), _EIGHT)
_sums = ir.VectorType(ir.IntType(32), _EIGHT)


def _eights(builder: Any, array: Any, place: Any, length: int) -> list[Any]:
    """Return `length` 16-bit numbers of an array as 32-bit ones, in vectors of eight."""
    start = builder.bitcast(builder.gep(array.data, [place]), _words.as_pointer())
    at = [builder.gep(start, [ir.Constant(ir.IntType(32), n)]) for n in range(length // _EIGHT)]
    return [builder.sext(builder.load(eight, align=2), _sums) for eight in at]


def _sum_of_products(builder: Any, a: list[Any], b: list[Any], begin: int) -> Any:
    total = ir.Constant(_sums, [begin] + [0] * (_EIGHT - 1))
    for one, other in zip(a, b, strict=True):
        total = builder.add(total, builder.mul(one, other))
    reduce = _get_or_insert(
        builder.module, ir.FunctionType(ir.IntType(32), [_sums]), "llvm.vector.reduce.add.v8i32"
    )
    return builder.call(reduce, [total])


def dot16(length: int, begin: int = 0) -> Any:
    """Return an operation: `begin` and `length` products of 16-bit numbers, 32 bits; it wraps.

    Its arguments are two int16 arrays, each followed by the place where it begins to read; the
    caller sees to it that there is enough. A loop of a fixed length would be unrolled before it
    could be vectorized, so these are vectors from the start.

    Args:
        length: a multiple of eight.
        begin: what the sum begins with, such as half of what a shift takes off: a lane of the
            vectors has it, where an addition behind them would be one for each result.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = (
            _eights(builder, _array_of(kind)(context, builder, array), place, length)
            for kind, array, place in zip(
                signature.args[::2], arguments[::2], arguments[1::2], strict=True
            )
        )
        return _sum_of_products(builder, a, b, begin)

    @_intrinsic
    def dot(typing_context: Any, a: Any, a_at: Any, b: Any, b_at: Any) -> Any:
        """Return `begin` and the products of a[a_at], ... and b[b_at], ..."""
        return _i32(a, _i64, b, _i64), generate

    return dot


def two_dots16(length: int) -> Any:
    """Return an operation: a `dot16` of each of two tables with the same sound, which is read once.

    Its arguments are the tables, the place where both begin, and the sound from its beginning.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, place = signature.args, arguments[2]
        arrays = [_array_of(kinds[n])(context, builder, arguments[n]) for n in (0, 1, 3)]
        heard = _eights(builder, arrays[2], ir.Constant(ir.IntType(64), 0), length)
        dots = [
            _sum_of_products(builder, _eights(builder, table, place, length), heard, 0)
            for table in arrays[:2]
        ]
        return context.make_tuple(builder, signature.return_type, dots)

    @_intrinsic
    def dots(typing_context: Any, one: Any, other: Any, at: Any, sound: Any) -> Any:
        """Return the products of one[at], ... and of other[at], ... with the sound."""
        return _pair(one, other, _i64, sound), generate

    return dots
