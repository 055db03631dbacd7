"""Canonical JSON text for evidence columns.

Belongs here: the one way in which landed columns hold JSON. Does not: reading JSON of any format.
"""

from __future__ import annotations

import json
from typing import Any


def sorted_json(value: Any) -> str:
    """Sorted keys, no spaces, no escapes beyond what JSON needs: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
