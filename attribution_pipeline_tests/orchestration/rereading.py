"""A deployment whose spans name tenants in words of their own, step by step: deliver, publish, land, look.

Belongs here: these steps. Does not: the fixture (``conftest``'s ``folder``), what is expected.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.planes import plane_of_day
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.span_attributes import land
from attribution_pipeline.sources.report import LandingReport
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite

NAMED = "{tenant_id: [app.tenant], workflow_id: [app.workflow]}"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SPANS = [
    re.sub(r'"attribution\.(tenant|workflow)_id"', r'"app.\1"', line)
    for line in (WORKED_DAY / "spans" / "traces.jsonl").read_text().splitlines()
]
"""The worked day's, of which nobody knows whose they are by attributes of the standard."""


def opened(folder: Path) -> House:
    """As the next process sees it."""
    return House(load_deployment(folder / "attribution.yaml"), lambda: NOW)


def deliver(folder: Path, name: str, *lines: str, ending: str = "\n") -> Path:
    path = folder / "spans" / name
    path.write_text("\n".join(lines) + ending)
    return path


def publish(folder: Path, version: int = 2, names: str = NAMED, since: str = "2026-10-01") -> None:
    path = folder / "policies" / f"policy-{version}.yaml"
    path.write_text((folder / "policies" / "policy-1.yaml").read_text())
    rewrite(path, "version: 1", f"version: {version}")
    rewrite(path, "effective_from: 2026-10-01", f"effective_from: {since}")
    rewrite(path, "  tenant_tag: tenant\n", f"  tenant_tag: tenant\n  attributes: {names}\n")


def landed(folder: Path) -> LandingReport:
    return land(opened(folder))


def spans_line(report: LandingReport) -> str:
    return next(line for line in report.lines() if line.startswith("spans"))


def recorded(folder: Path) -> str:
    """The day's content digest after it was recorded once more."""
    record_day(opened(folder), DAY)
    house = opened(folder)
    head = house.lake.head(DAY)
    assert head is not None
    digest: str = house.lake.document(head)["output"]["content_digest"]
    return digest


def kept(folder: Path, landing: int | None = None) -> list[tuple[str, str | None]]:
    """Span id and kept attributes of what stands, or stood after a landing."""
    store = opened(folder).landed
    view = store if landing is None else store.as_of(landing)
    view.verify(view.files("spans"))
    rows = [
        (row["span_id"], row["attributes"])
        for path in view.paths("spans")
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]
    return sorted(rows, key=str)


def calls(folder: Path) -> tuple[str, object]:
    """The day's calls with whose they are: digest and counts of the plane."""
    plane = plane_of_day(opened(folder), "operations", DAY)
    return plane.digest, plane.rows
