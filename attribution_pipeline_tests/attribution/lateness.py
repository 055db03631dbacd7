"""A world whose spans come in two deliveries: recorded after the first, and again after the second.

Belongs here: splitting spans, running the late path and the whole day beside it, naming every
difference. Does not: the late path itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.attribution import KERNEL, late_plane
from attribution_pipeline.attribution.billing import billing_plane
from attribution_pipeline.attribution.cluster import cluster_plane
from attribution_pipeline.attribution.day import (
    Compute,
    Landed,
    Outcome,
    Plane,
    Previous,
    SourceFacts,
)
from attribution_pipeline.attribution.late import late_operation_plane, reconcile_late
from attribution_pipeline.attribution.operations import operation_plane
from attribution_pipeline.attribution.reconcile import reconcile
from attribution_pipeline.attribution.reports import kubernetes_plane, usage_plane
from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline_tests.attribution.engine_run import RECORDED_AT
from attribution_pipeline_tests.worlds import World
from attribution_pipeline_tests.worlds.write import landed

Spans = list[dict[str, Any]]
Split = Callable[[random.Random, Spans], tuple[Spans, Spans]]
COMPUTE = Compute(threads=1, memory_limit="1GB")
SPAN_FILE = pa.schema([pa.field("source", pa.string()), *SCHEMAS["spans"]])


def by_span(dice: random.Random, spans: Spans) -> tuple[Spans, Spans]:
    """Any span may be late, its twins and its own repetitions on time."""
    share = dice.choice((0.03, 0.1, 0.4))
    return _split(spans, [dice.random() < share for _ in spans])


def by_operation(dice: random.Random, spans: Spans) -> tuple[Spans, Spans]:
    """All spans of a call are late together."""
    share = dice.choice((0.1, 0.3, 0.6))
    traces = {trace: dice.random() < share for trace in sorted({s["trace_id"] for s in spans})}
    return _split(spans, [traces[span["trace_id"]] for span in spans])


def by_exporter(dice: random.Random, spans: Spans) -> tuple[Spans, Spans]:
    """Everything that one pod sent is late."""
    pods = sorted({str(span["pod"]) for span in spans})
    late = dice.choice(pods) if pods else ""
    return _split(spans, [str(span["pod"]) == late for span in spans])


def with_repeats(dice: random.Random, spans: Spans) -> tuple[Spans, Spans]:
    """A batch that was delivered before comes again with a few new spans."""
    early, late = by_span(dice, spans)
    return early, late + [dict(span) for span in early if dice.random() < 0.3]


def only_repeats(dice: random.Random, spans: Spans) -> tuple[Spans, Spans]:
    """A batch comes again, and nothing new."""
    return spans, [dict(span) for span in spans if dice.random() < 0.5]


SPLITS: Mapping[str, Split] = {
    split.__name__: split
    for split in (by_span, by_operation, by_exporter, with_repeats, only_repeats)
}


def generously_billed(world: World, times: int = 1000) -> World:
    """The same world with a bill for so many times the tokens: late evidence stays under it."""
    lines = [
        line
        | {
            name: None if line[name] is None else str(Decimal(line[name]) * times)
            for name in ("ConsumedQuantity", "PricingQuantity")
        }
        for line in world.evidence.billing
    ]
    return replace(world, evidence=replace(world.evidence, billing=lines))


def _split(spans: Spans, is_late: Sequence[bool]) -> tuple[Spans, Spans]:
    pairs = list(zip(spans, is_late, strict=True))
    return [s for s, late in pairs if not late], [s for s, late in pairs if late]


@dataclass(frozen=True)
class Comparison:
    """What a late delivery came to. ``outcome`` is None where the day had to be done whole."""

    plane: Plane
    outcome: Outcome | None
    differences: list[str]


def compare(world: World, early: Spans, late: Spans, folder: Path) -> Comparison:
    """The late path against the whole day, after ``early`` was recorded."""
    folder.mkdir(parents=True)
    files, objects = landed(world.evidence, folder)
    spans = []
    for name, rows in (("early", early), ("late", late)):
        spans.append(str(folder / f"{name}.parquet"))
        pq.write_table(pa.Table.from_pylist(rows, schema=SPAN_FILE), spans[-1], compression="none")
    here = Landed({**files, "spans": spans}, objects)
    first = Landed({**files, "spans": spans[:1]}, objects)

    def out(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    def planes(at: Landed, name: str) -> dict[str, Plane]:
        return {"operations": operation_plane(at, world.day, world.policy, out=out(name), compute=COMPUTE)}

    still = {
        "billing": billing_plane(
            here, SourceFacts(delivery=world.evidence.delivery), world.day,
            first_day=world.first_day, out=out("billing"), compute=COMPUTE,
        ),
        "cluster": cluster_plane(here, world.day, out=out("cluster"), compute=COMPUTE),
        "usage": usage_plane(here, world.day, out=out("usage"), compute=COMPUTE),
        "kubernetes": kubernetes_plane(
            here, world.day, world.policy, out=out("kubernetes"), compute=COMPUTE
        ),
    }  # fmt: skip
    before = still | planes(first, "before")
    now = still | planes(here, "now")
    digest = world.policy.digest
    recorded = reconcile(
        before, world.policy, world.day, policy_digest=digest, recorded_at=RECORDED_AT,
        out=out("recorded"), compute=COMPUTE,
    )  # fmt: skip
    previous = Previous(
        files=recorded.files,
        settled=(),
        inputs={name: plane.digest for name, plane in before.items()},
        policy_digest=digest,
        kernel=KERNEL,
    )
    plane = late_operation_plane(
        before["operations"], here, spans[1:], world.day, world.policy, out=out("plane"),
        compute=COMPUTE,
    )  # fmt: skip
    assert plane is not None, "too many late spans for the tests' bound"
    wrong = _planes_differ(plane, now["operations"])
    how: dict[str, Any] = {
        "policy_digest": digest, "recorded_at": RECORDED_AT + timedelta(days=1), "run_id": "late",
        "previous": previous, "compute": COMPUTE,
    }  # fmt: skip
    whole = reconcile(now, world.policy, world.day, out=out("whole"), **how)
    outcome = reconcile_late(
        still | {"operations": plane}, before["operations"].files["operations"], world.policy,
        world.day, out=out("late_out"), **how,
    )  # fmt: skip
    if outcome is not None:
        wrong += _outcomes_differ(outcome, whole, previous)
    return Comparison(plane, outcome, wrong)


def any_number_of_late_spans(monkeypatch: Any) -> None:
    """Worlds are small: without the bound that keeps the late path from being the slower one."""
    monkeypatch.setattr(late_plane, "MOST_LATE", 0)


def _planes_differ(late: Plane, whole: Plane) -> list[str]:
    wrong = _rows_differ("plane", late.files["operations"], whole.files["operations"])
    for name in ("digest", "rows", "findings"):
        a, b = getattr(late, name), getattr(whole, name)
        if a != b:
            wrong.append(f"plane {name}: late {a}, whole {b}")
    return wrong


def _outcomes_differ(late: Outcome, whole: Outcome, previous: Previous) -> list[str]:
    wrong = []
    for table in sorted({*late.files, *whole.files}):
        stands = previous.files[table] if table in late.adds_to else ()
        now = [*stands, *late.files.get(table, ())]
        wrong += _rows_differ(table, now, whole.files.get(table, ()))
    for name in ("content_digest", "unheld_digest", "rows", "totals", "findings", "causes"):
        a, b = getattr(late, name), getattr(whole, name)
        if a != b:
            wrong.append(f"{name}: late {a}, whole {b}")
    for name in ("tie_out", "coverage"):
        if getattr(late, name).to_pylist() != getattr(whole, name).to_pylist():
            wrong.append(f"{name} differs")
    return wrong


def _rows_differ(table: str, late: Sequence[str], whole: Sequence[str]) -> list[str]:
    a, b = _rows(late), _rows(whole)
    wrong = [f"{table}, late only: {row}" for row in sorted(a.keys() - b.keys())]
    wrong += [f"{table}, whole only: {row}" for row in sorted(b.keys() - a.keys())]
    return wrong + [f"{table}: {a[row]} times {row}" for row in a if a[row] > 1]


def _rows(files: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for path in files:
        for row in pq.ParquetFile(path).read().to_pylist():
            text = str(sorted(row.items()))
            found[text] = found.get(text, 0) + 1
    return found
