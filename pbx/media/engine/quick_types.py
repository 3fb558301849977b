"""Lets numba remember what an operation on given types is, instead of finding it out each time.

For each `row[LINE] + 1` of a kernel it tries all that `+` or an index can mean, in order, twice: to
infer types and to make code. What it finds depends on the types and the compiler's flags alone.
"""

from typing import Any, NamedTuple

from numba.core import targetconfig
from numba.core.types import functions

_FlagsStack: Any = targetconfig.ConfigStack
_BaseFunction: Any = functions.BaseFunction


class _Found(NamedTuple):
    settings: dict[str, Any] | None
    signature: Any
    implementation: Any


def resolve_quickly() -> None:
    """From now on, resolve each operation on the same types once."""
    resolve = _BaseFunction.get_call_type
    known: dict[Any, _Found] = {}

    def get_call_type(function: Any, context: Any, args: Any, kws: Any) -> Any:
        """Return the signature of a call; see numba's own."""
        flags = _FlagsStack.top_or_none()
        settings = None if flags is None else flags._values
        key = function, context, args, tuple(kws.items())
        found = known.get(key)
        if found is None or found.settings != settings:
            signature = resolve(function, context, args, kws)
            kept = None if settings is None else dict(settings)
            found = known[key] = _Found(kept, signature, function.get_impl_key(signature))
        # Who makes the code asks for it by what the function has been resolved to last.
        function._impl_keys[found.signature.args] = found.implementation
        return found.signature

    _BaseFunction.get_call_type = get_call_type
