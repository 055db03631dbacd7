"""One small company without faults, written once for every statement about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution_pipeline.simulator import Report, write_company

DAYS, SPANS_PER_DAY = 2, 4000


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    directory = tmp_path_factory.mktemp("company") / "acme"
    return directory, write_company(directory, days=DAYS, spans_per_day=SPANS_PER_DAY)
