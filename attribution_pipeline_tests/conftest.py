"""The order of tests: those of minutes begin first, so that no process waits for the last of them alone.

Belongs here: that order. Does not: any fixture.
"""

from __future__ import annotations

import pytest

LONG = (
    "schedules/test_schedules.py", "test_bench.py", "orchestration/test_browser_backfill.py",
    "proof/test_accuracy_command.py", "engines/test_conformance.py",
    "reliability/test_faults.py", "reliability/test_kills.py", "postgres/test_pod_a_day.py",
    "reliability/test_disk_full.py", "orchestration/test_browser.py",
    "orchestration/test_days_at_once.py", "attribution/test_engine_agrees_with_oracle.py",
)  # fmt: skip
"""Files, the longest first, as `--durations` says. One that is missing here costs time, nothing else."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONG)}

    def place(item: pytest.Item) -> int:
        name = item.nodeid.partition("::")[0].partition("attribution_pipeline_tests/")[2]
        return places.get(name, len(LONG))

    items.sort(key=place)
