"""Where outside cases are: files that a test may read but the repository may not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
WORKED_DAY = REPOSITORY / "attribution_pipeline_tests" / "worked_day"


def shared(path: str) -> Path:
    """A file under the ``shared/cases`` folder beside the repository; skips visibly without it."""
    found = REPOSITORY.parent / "shared" / "cases" / path
    if not found.exists():
        pytest.skip(f"outside case {path} is not beside this checkout")
    return found
