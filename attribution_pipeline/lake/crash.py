"""Named places at which a test kills the process: to prove what a crash leaves behind.

Belongs here: the switch. Does not: the places (a call with a literal name stands at each), what must
hold afterwards (the tests).

``$ATTRIBUTION_CRASH=<name>:<n>`` sends SIGKILL to the process itself when it passes the place for
the n-th time. Unset, a place costs one look at the environment.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "ATTRIBUTION_CRASH"

_passed: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Die here if the environment says so."""
    armed = os.environ.get(VARIABLE)
    if armed is None:
        return
    _passed[name] += 1
    if armed == f"{name}:{_passed[name]}":
        os.kill(os.getpid(), signal.SIGKILL)
