"""Many arrays as one argument of a kernel: the address of what describes them.

Numba hands a tuple of arrays over as seven values for each array, which makes two thirds of all the
code that it has to compile. A view is one address; `view.field` loads what it needs of that array.
What it describes must neither move nor go while the kernel runs.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import extending, types
from numba.core.typing import templates
from numba.np import arrayobj

from pbx.media.engine.tables import Words

_WORDS = 3
"""Of each field: address, and up to two lengths."""

# numba is typed in parts only.
_type_of: Any = numba.typeof
_extending: Any = extending
_templates: Any = templates
_arrays: Any = arrayobj
_Type: Any = types.Type


def describe(arrays: NamedTuple) -> Words:
    """Return what a view of these arrays points to; it and they must outlive the kernel's run.

    Args:
        arrays: C-contiguous arrays of one or two dimensions.
    """
    words = np.zeros((len(arrays), _WORDS), np.int64)
    for row, array in zip(words, arrays, strict=True):
        assert array.flags.c_contiguous
        row[0] = array.ctypes.data
        row[1 : 1 + array.ndim] = array.shape
    return words


class View(_Type):  # type: ignore[misc]
    """The type of a view in kernels.

    Args:
        arrays: such as it will be a view of; a NamedTuple.
    """

    def __init__(self, arrays: NamedTuple) -> None:
        self.arrays = [_type_of(array) for array in arrays]
        self.places = {name: place for place, name in enumerate(arrays._fields)}
        super().__init__(name=f"View({type(arrays).__name__})")


@_extending.register_model(View)
class _ViewModel(_extending.models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, view: View) -> None:
        super().__init__(manager, view, ir.IntType(64))


@_extending.infer_getattr
class _ViewAttributes(_templates.AttributeTemplate):  # type: ignore[misc]
    key = View

    def generic_resolve(self, view: View, name: str) -> Any:
        place = view.places.get(name)
        return None if place is None else view.arrays[place]


@_extending.lower_getattr_generic(View)
def _load_array(context: Any, builder: Any, view: View, address: Any, name: str) -> Any:
    """Make the array that a field's words describe."""
    place = view.places[name]
    kind = view.arrays[place]
    word = ir.IntType(64)
    words = builder.inttoptr(address, word.as_pointer())
    # Nobody writes these words while a kernel runs: the compiler need not load them again.
    unchanging = builder.module.add_metadata([])

    def load(column: int) -> Any:
        index = ir.Constant(word, _WORDS * place + column)
        value = builder.load(builder.gep(words, [index]))
        value.set_metadata("invariant.load", unchanging)
        return value

    data = context.make_array(kind)(context, builder)
    octets = ir.Constant(word, kind.dtype.bitwidth // 8)
    shape = [load(1 + dimension) for dimension in range(kind.ndim)]
    strides = [octets] if kind.ndim == 1 else [builder.mul(shape[1], octets), octets]
    _arrays.populate_array(
        data,
        data=builder.inttoptr(load(0), context.get_data_type(kind.dtype).as_pointer()),
        shape=shape,
        strides=strides,
        itemsize=octets,
        meminfo=None,
    )
    return data._getvalue()


@_extending.lower_cast(View, types.Integer)
def _address_of(context: Any, builder: Any, view: View, wanted: Any, address: Any) -> Any:
    """Hand a view on to another function; see `native.call_function`."""
    return address


def viewer(arrays: NamedTuple) -> Any:
    """Return a function for kernels that makes the address of a description a view.

    Args:
        arrays: such as the view will be of.
    """
    view = View(arrays)

    def as_view(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return arguments[0]

        return view(types.int64), generate

    return _extending.intrinsic(as_view)
