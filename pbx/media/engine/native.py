"""libc by symbol name, atomics, and the decorator of every kernel.

The JIT linker resolves `ExternalFunction` names when code is loaded, so kernels that call libc
can be cached on disk (a ctypes pointer can't). Memory order matters on ARM: a plain store from
Python or from a kernel may become visible before the data that it announces.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import cgutils as _cgutils
from numba.core import types
from numba.core.extending import intrinsic
from numba.np import arrayobj

from pbx.media.engine.kernel_cache import KernelCache
from pbx.media.engine.quick_types import resolve_quickly

EINTR = 4
EIO = 5
ECONNREFUSED = 111
MSG_DONTWAIT = 0x40
MSG_TRUNC = 0x20
EPOLLIN = 1
EPOLL_CTL_ADD = 1
EPOLL_CTL_DEL = 2
CLOCK_REALTIME = 0
CLOCK_MONOTONIC = 1
SOL_SOCKET = 1
SO_TIMESTAMPNS = 35
"""The one whose struct timespec has words of 64 bits on 64-bit machines."""

TFD_CLOEXEC = 0x80000
TFD_NONBLOCK = 0x800
TFD_TIMER_ABSTIME = 1

_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""

_i32, _i64 = types.int32, types.int64

resolve_quickly()


inner: list[Any] = []
"""The dispatchers of all kernels that other kernels call."""

entries: set[str] = set()
"""The names of those that Python calls."""


def _libc(name: str, result: Any, *arguments: Any) -> Any:
    return types.ExternalFunction(name, result(*arguments))


# numba's decorator is typed as if intrinsics were called with the typing context.
_intrinsic: Any = intrinsic
_arrays: Any = arrayobj
_raw_memmove: Any = _cgutils.raw_memmove
_njit: Any = njit
_unliteral: Any = types.unliteral

# Pointers and sizes travel as 64-bit integers: the same registers, and no unsigned arithmetic.
recvmsg = _libc("recvmsg", _i64, _i32, _i64, _i32)
sendmsg = _libc("sendmsg", _i64, _i32, _i64, _i32)
recv_octets = _libc("recv", _i64, _i32, _i64, _i64, _i32)
send_octets = _libc("send", _i64, _i32, _i64, _i64, _i32)
"""recv(2) and send(2): of a connected socket, where a header would say nothing more."""

recvmmsg = _libc("recvmmsg", _i32, _i32, _i64, types.uint32, _i32, _i64)
sendmmsg = _libc("sendmmsg", _i32, _i32, _i64, types.uint32, _i32)
connect = _libc("connect", _i32, _i32, _i64, types.uint32)
getsockname = _libc("getsockname", _i32, _i32, _i64, _i64)
open_socket = _libc("socket", _i32, _i32, _i32, _i32)
bind = _libc("bind", _i32, _i32, _i64, types.uint32)
close = _libc("close", _i32, _i32)
setsockopt = _libc("setsockopt", _i32, _i32, _i32, _i32, _i64, types.uint32)
epoll_wait = _libc("epoll_wait", _i32, _i32, _i64, _i32, _i32)
epoll_ctl = _libc("epoll_ctl", _i32, _i32, _i32, _i32, _i64)
read = _libc("read", _i64, _i32, _i64, _i64)
write = _libc("write", _i64, _i32, _i64, _i64)
pwrite = _libc("pwrite", _i64, _i32, _i64, _i64, _i64)
clock_gettime = _libc("clock_gettime", _i32, _i32, _i64)
system_call = _libc("syscall", _i64, _i64, _i64, _i64, _i64, _i64, _i64, _i64)
"""syscall(2): the call's number, and six arguments."""

timerfd_create = _libc("timerfd_create", _i32, _i32, _i32)
_timerfd_settime = _libc("timerfd_settime", _i32, _i32, _i32, _i64, _i64)
_errno_location = _libc("__errno_location", _i64)


def _compiled_later(function: Callable[..., Any], *, inlined: bool = False) -> Any:
    # Without numba's runtime: kernels make no arrays, so nobody need count who holds one.
    compiled = _njit(nogil=True, error_model="numpy", _nrt=False, forceinline=inlined)
    return compiled(function)


def _inner(function: Callable[..., Any], *, inlined: bool) -> Any:
    dispatcher = _compiled_later(function, inlined=inlined)
    template = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        # numba would compile it for each constant that it is called with.
        return template([_unliteral(kind) for kind in args], kws)

    dispatcher.get_call_template = get_call_template
    inner.append(dispatcher)
    return dispatcher


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` when another kernel calls it; the GIL is free while it runs."""
    return _inner(function, inlined=False)


def inlined(function: Callable[..., Any]) -> Any:
    """Make `function` a kernel that becomes part of each kernel that calls it.

    For what is called in one place. A call of ours is dear: seven words for each array, two places in
    memory for what comes back, and what is in registers is put away for it.
    """
    return _inner(function, inlined=True)


def entry_kernel(function: Callable[..., Any]) -> Any:
    """Compile `function`, which Python calls, and keep it on disk with all that it calls.

    The signature is given by `loading`; one cached file holds a whole loop, so that a warm start
    reads few files.
    """
    dispatcher = _compiled_later(function)
    # numba's own choice of cache folder knows nothing of callees in other files.
    cache: Any = KernelCache
    dispatcher._cache = cache(function)
    entries.add(function.__qualname__)
    return dispatcher


def _pointer(builder: Any, address: Any, bits: int) -> Any:
    return builder.inttoptr(address, ir.IntType(bits).as_pointer())


@_intrinsic
def load_acquire(typing_context: Any, address: Any) -> Any:
    """Read the int64 at `address`; nothing after it is read or written before it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(builder, arguments[0], 64), "acquire", 8)

    return _i64(_i64), generate


@_intrinsic
def store_release(typing_context: Any, address: Any, value: Any) -> Any:
    """Write the int64 at `address`; nothing before it is read or written after it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[1], _pointer(builder, arguments[0], 64), "release", 8)
        return context.get_dummy_value()

    return types.void(_i64, _i64), generate


@_intrinsic
def load_32(typing_context: Any, address: Any) -> Any:
    """Read the int32 at `address`, which need not be aligned (epoll_event is packed on x86-64)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(builder, arguments[0], 32), align=1)

    return _i32(_i64), generate


@_intrinsic
def store_32(typing_context: Any, address: Any, value: Any) -> Any:
    """Write the int32 at `address`, which need not be aligned."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], _pointer(builder, arguments[0], 32), align=1)
        return context.get_dummy_value()

    return types.void(_i64, _i32), generate


@_intrinsic
def fetch_ahead(typing_context: Any, address: Any) -> Any:
    """Have the cache line at `address` fetched while other work is done; any address will do."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        place = _pointer(builder, arguments[0], 8)
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        # To read, to be kept in all caches, of data.
        builder.call(prefetch, [place, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(_i64), generate


def _array_at(context: Any, builder: Any, kind: Any, data: Any, shape: Any) -> Any:
    """Make a contiguous array of memory that somebody else keeps."""
    made = context.make_array(kind)(context, builder)
    octets = ir.Constant(ir.IntType(64), kind.dtype.bitwidth // 8)
    strides = [octets] if kind.ndim == 1 else [builder.mul(shape[1], octets), octets]
    _arrays.populate_array(
        made, data=data, shape=shape, strides=strides, itemsize=octets, meminfo=None
    )
    return made._getvalue()


@_intrinsic
def part(typing_context: Any, array: Any, begin: Any, count: Any) -> Any:
    """Return `count` elements of a contiguous array, from `begin` on, which must be there.

    A slice does the same, and is ten times as much for the compiler: it looks for negative and too
    large numbers, and counts references.
    """
    kind = types.Array(array.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = context.make_array(array)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], begin, _i64)
        length = context.cast(builder, arguments[2], count, _i64)
        return _array_at(context, builder, kind, builder.gep(whole.data, [place]), [length])

    return kind(array, begin, count), generate


@_intrinsic
def rest(typing_context: Any, array: Any, begin: Any) -> Any:
    """Return the elements of a contiguous array from `begin` on, which must not be beyond its end."""
    kind = types.Array(array.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = context.make_array(array)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], begin, _i64)
        length = builder.sub(builder.extract_value(whole.shape, 0), place)
        return _array_at(context, builder, kind, builder.gep(whole.data, [place]), [length])

    return kind(array, begin), generate


@_intrinsic
def row_of(typing_context: Any, table: Any, index: Any) -> Any:
    """Return one row of a contiguous table of two dimensions; it must be there."""
    kind = types.Array(table.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = context.make_array(table)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], index, _i64)
        length = builder.extract_value(whole.shape, 1)
        data = builder.gep(whole.data, [builder.mul(place, length)])
        return _array_at(context, builder, kind, data, [length])

    return kind(table, index), generate


@_intrinsic
def copy_items(typing_context: Any, source: Any, count: Any, target: Any) -> Any:
    """Copy the first `count` elements of a contiguous array to another of the same kind.

    Both must have so many; they may overlap, for which a loop would have to look.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        one, other = (
            context.make_array(kind)(context, builder, array).data
            for kind, array in ((source, arguments[0]), (target, arguments[2]))
        )
        _raw_memmove(builder, other, one, arguments[1], source.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(source, _i64, target), generate


@_intrinsic
def samples_at(typing_context: Any, address: Any, count: Any) -> Any:
    """Return `count` int16 at `address` as an array; who calls keeps their memory alive."""
    kind = types.Array(types.int16, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = _pointer(builder, arguments[0], 16)
        return _array_at(context, builder, kind, data, [arguments[1]])

    return kind(_i64, _i64), generate


@_intrinsic
def words_at(typing_context: Any, address: Any, rows: Any, width: Any) -> Any:
    """Return a table of int64 at `address`; who calls keeps its memory alive."""
    kind = types.Array(_i64, 2, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = _pointer(builder, arguments[0], 64)
        return _array_at(context, builder, kind, data, arguments[1:])

    return kind(_i64, _i64, _i64), generate


@_intrinsic
def call_function(typing_context: Any, address: Any, arguments: Any) -> Any:
    """Call the C function at `address` with a tuple of integers; returns its `int`.

    Every argument goes as a 64-bit integer: pointers are, and of a narrower one both x86-64 and
    aarch64 read the low bits of the register or stack word only. The address is data, so the
    calling kernel can be cached.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = ir.IntType(64)
        items = [
            context.cast(builder, builder.extract_value(values[1], index), item, _i64)
            for index, item in enumerate(signature.args[1])
        ]
        function = ir.FunctionType(ir.IntType(32), [word] * len(items))
        pointer = builder.inttoptr(values[0], function.as_pointer())
        return builder.sext(builder.call(pointer, items), word)

    return _i64(_i64, arguments), generate


@kernel
def fetch_lines_ahead(address: Any, octets: Any) -> None:
    """Have all cache lines from `address` on fetched while other work is done."""
    for offset in range(0, octets, 64):
        fetch_ahead(address + offset)


@kernel
def errno() -> Any:
    """Return the calling thread's error number after a call that answered -1."""
    return load_32(_errno_location())


@kernel
def monotonic_ns(scratch: Any) -> Any:
    """Return CLOCK_MONOTONIC; `scratch` is room for a struct timespec."""
    clock_gettime(CLOCK_MONOTONIC, scratch.ctypes.data)
    return scratch[0] * 1_000_000_000 + scratch[1]


@kernel
def realtime_ns(scratch: Any) -> Any:
    """Return CLOCK_REALTIME; `scratch` is room for a struct timespec."""
    clock_gettime(CLOCK_REALTIME, scratch.ctypes.data)
    return scratch[0] * 1_000_000_000 + scratch[1]


@kernel
def clear(words: Any) -> None:
    """Make all of an array zero."""
    for index in range(words.shape[0]):
        words[index] = 0


@kernel
def ntp_time(scratch: Any) -> Any:
    """Return the time of day as NTP has it: seconds since 1900 << 32, in an int64's bits."""
    clock_gettime(CLOCK_REALTIME, scratch.ctypes.data)
    return (scratch[0] + _NTP_EPOCH) << 32 | (scratch[1] << 32) // 1_000_000_000


@kernel
def set_timer(fd: Any, first_ns: Any, interval_ns: Any, scratch: Any) -> Any:
    """Let a timerfd go off at `first_ns` of CLOCK_MONOTONIC and each interval after; 0 stops it.

    Args:
        fd: of `timerfd_create`.
        first_ns, interval_ns: nanoseconds.
        scratch: room for a struct itimerspec, four words.
    """
    scratch[0] = interval_ns // 1_000_000_000
    scratch[1] = interval_ns % 1_000_000_000
    scratch[2] = first_ns // 1_000_000_000
    scratch[3] = first_ns % 1_000_000_000
    return _timerfd_settime(fd, TFD_TIMER_ABSTIME, scratch.ctypes.data, 0)
