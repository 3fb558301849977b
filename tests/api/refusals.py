"""What the control API says no with."""

from typing import Any

import pytest

from pbx.errors import CommandError


async def refused(answer: Any) -> str:
    """Return the code of the error that `answer` ends with, which has a sentence."""
    with pytest.raises(CommandError) as caught:
        await answer
    assert caught.value.sentence.endswith(".")
    return caught.value.code
