"""How often Python looks for garbage in cycles while days are made.

Belongs here: the threshold, for as long as the work takes. Does not: what is made meanwhile.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

GARBAGE_AFTER = 50_000
"""New objects after which cycles among them are looked for. A day makes hardly a cycle; at Python's own 700,
to look at new objects, and in turn at all that the libraries and the index of landed objects keep, is a
fortieth of what a late day costs, and a sixteenth of four days over 50,000 landed objects (measured)."""


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Cycles are looked for seldom meanwhile, unless somebody has set it to look less."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], GARBAGE_AFTER) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
