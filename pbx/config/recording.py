"""The settings of call recording."""

import msgspec


class RecordingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[recording]``: how calls are recorded.

    Args:
        stereo: a track for each party: the caller left, the callee right.
    """

    stereo: bool = False
