"""The packet thread's tables, as functions that Python or other compiled functions call see them."""

import numpy as np

from pbx.media.engine import tables as t
from pbx.media.engine.view import viewer
from pbx.media.engine.voice_tables import make_voice_tables

tables_view = viewer(t.make_tables([0, 0], dual_stack=True))
voices_view = viewer(make_voice_tables(1, np.zeros(1, np.int64), b""))
