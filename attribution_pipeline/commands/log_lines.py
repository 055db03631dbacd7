"""Lines on stderr: as people read them, or as JSON for who collects logs.

Belongs here: the two spellings. Does not: what is said. What a command prints as its result goes to
stdout and is no log.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

VARIABLE = "ATTRIBUTION_LOG_FORMAT"
LEVELS = {
    "attribution": "ERROR", "failed": "ERROR", "alert": "WARNING", "warning": "WARNING", "note": "INFO",
}  # fmt: skip


def log_line(what: str, said: str) -> str:
    """``what: said``; with ``$ATTRIBUTION_LOG_FORMAT=json`` an object of one line."""
    if os.environ.get(VARIABLE) != "json":
        return f"{what}: {said}"
    return json.dumps(
        {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": LEVELS[what],
            "logger": "attribution",
            "event": "refused" if what == "attribution" else what,
            "message": said,
        },
        ensure_ascii=False,
    )
