"""The page of threats names tests that are there."""

from __future__ import annotations

import re

from attribution_pipeline_tests.cases import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text()
NAMED = re.compile(r"`([a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def test_every_control_has_a_test_that_exists() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 25
    for file, test in named:
        text = (REPOSITORY / "attribution_pipeline_tests" / file).read_text()
        assert f"def {test}(" in text, f"{file} has no {test}"


def test_every_threat_has_its_control_and_its_test() -> None:
    rows = [
        line for line in PAGE.splitlines() if line.startswith("| ") and "| threat |" not in line
    ]
    assert len(rows) > 20
    for line in rows:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 3
        assert all(cells)
        assert NAMED.search(cells[2]), line


def test_limits_of_the_page_are_those_of_the_code() -> None:
    from attribution_pipeline.model import yaml_lines
    from attribution_pipeline.sources.compression import Limits
    from attribution_pipeline.sources.parquet_guard import ParquetLimits

    known = {*Limits.__dataclass_fields__, *ParquetLimits.__dataclass_fields__, *vars(yaml_lines)}
    (compression,) = [line for line in PAGE.splitlines() if "Decompression bombs" in line]
    (parquet,) = [line for line in PAGE.splitlines() if "Parquet bombs" in line]
    (yaml,) = [line for line in PAGE.splitlines() if "aliases that multiply" in line]
    for line in (compression, parquet, yaml):
        named = set(re.findall(r"`([A-Za-z_]+)`", line))
        assert named <= known, named - known
