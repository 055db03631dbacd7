"""A world whose spans come in several deliveries, recorded after each of them.

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

from attribution_pipeline.attribution import KERNEL
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
from attribution_pipeline.attribution.late_classes import SUMS
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


def deliveries(dice: random.Random, spans: Spans, late: int) -> list[Spans]:
    """What comes on time, and then ``late`` more batches; empty ones are left out."""
    batches: list[Spans] = []
    for _ in range(late):
        spans, batch = dice.choice(list(SPLITS.values()))(dice, spans)
        batches.insert(0, batch)
    return [batch for batch in [spans, *batches] if batch]


def generously_billed(world: World, times: int = 50) -> World:
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
class Late:
    """What one late delivery came to."""

    planes: Mapping[str, Plane]
    earlier: Previous
    outcome: Outcome | None
    """None where the day had to be done whole, or nothing moved."""
    has_moved: bool
    differences: list[str]


def deliver(
    world: World,
    batches: Sequence[Spans],
    folder: Path,
    *,
    settled: bool = False,
    without: Sequence[str] = (),
) -> list[Late]:
    """The late path against the whole day, after the first batch was recorded, and every one that
    follows on the state before it.

    ``without``: tables that the first plane lacks, as one of an older release does, and ``hashes``."""
    folder.mkdir(parents=True)
    files, objects = landed(world.evidence, folder)
    spans = [str(folder / f"batch-{number}.parquet") for number in range(len(batches))]
    for path, rows in zip(spans, batches, strict=True):
        pq.write_table(pa.Table.from_pylist(rows, schema=SPAN_FILE), path, compression="none")
    here = Landed({**files, "spans": spans[:1]}, objects)
    still = _other_planes(world, here, folder, settled)
    keys = world.evidence.keys
    kept = operation_plane(
        here, world.day, world.policy, out=_out(folder, "0"), compute=COMPUTE, keys=keys
    )
    kept = replace(kept, files={k: v for k, v in kept.files.items() if k not in without})
    how: dict[str, Any] = {
        "policy_digest": world.policy.digest,
        "run_id": "run",
        "compute": COMPUTE,
    }
    state = reconcile(
        still | {"operations": kept}, world.policy, world.day, out=_out(folder, "recorded"),
        recorded_at=RECORDED_AT, **how,
    )  # fmt: skip
    state = _without_hashes(state) if "hashes" in without else state
    previous = _previous(world, still | {"operations": kept}, state, None)
    found = []
    for number in range(1, len(batches)):
        here = Landed({**files, "spans": spans[: number + 1]}, objects)
        plane = late_operation_plane(
            kept, here, [spans[number]], world.day, world.policy, compute=COMPUTE,
            out=_out(folder, f"{number}-late"), keys=keys,
        )  # fmt: skip
        assert plane is not None, "too many late spans for the tests' bound"
        whole_plane = operation_plane(
            here,
            world.day,
            world.policy,
            out=_out(folder, f"{number}-whole"),
            compute=COMPUTE,
            keys=keys,
        )
        how |= {"recorded_at": RECORDED_AT + timedelta(days=number), "previous": previous}
        now = still | {"operations": plane}
        whole = reconcile(
            still | {"operations": whole_plane}, world.policy, world.day,
            out=_out(folder, f"{number}-recorded"), **how,
        )  # fmt: skip
        late = reconcile_late(
            now, kept.files["operations"], world.policy, world.day,
            out=_out(folder, f"{number}-recorded-late"), **how,
        )  # fmt: skip
        wrong = _planes_differ(plane, whole_plane, without)
        if late is not None:
            wrong += _outcomes_differ(late, whole, previous)
        found.append(Late(now, previous, late, plane.digest != kept.digest, wrong))
        state = late or whole
        state = _without_hashes(state) if "hashes" in without else state
        previous = _previous(world, now, state, previous)
        kept = plane
    return found


def _out(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _other_planes(world: World, here: Landed, folder: Path, settled: bool) -> dict[str, Plane]:
    planes = {
        "billing": billing_plane(
            here, SourceFacts(delivery=world.evidence.delivery), world.day,
            first_day=world.first_day, out=_out(folder, "billing"), compute=COMPUTE,
        ),
        "cluster": cluster_plane(here, world.day, out=_out(folder, "cluster"), compute=COMPUTE),
        "usage": usage_plane(here, world.day, out=_out(folder, "usage"), compute=COMPUTE),
        "kubernetes": kubernetes_plane(
            here, world.day, world.policy, out=_out(folder, "kubernetes"), compute=COMPUTE
        ),
    }  # fmt: skip
    columns = ["charge_id", "InvoiceIssuerName", "BillingAccountId", "billing_period"]
    charges = pq.ParquetFile(planes["billing"].files["charges"][0]).read(columns)
    charges = charges.rename_columns(["charge_id", "issuer", "account", "billing_period"])
    rows = charges.group_by(charges.column_names).aggregate([])
    rows = rows.append_column("is_settled", pa.repeat(pa.scalar(settled), rows.num_rows))
    path = str(folder / "settled.parquet")
    pq.write_table(rows, path)
    return planes | {"closes": Plane("closes", {"settled": [path]}, "closed", {})}


def _previous(
    world: World, planes: Mapping[str, Plane], state: Outcome, earlier: Previous | None
) -> Previous:
    files = dict(state.files)
    for table in state.adds_to:
        assert earlier is not None
        files[table] = [*earlier.files[table], *files[table]]
    return Previous(
        files=files,
        settled=planes["closes"].files["settled"],
        inputs={name: plane.digest for name, plane in planes.items()},
        policy_digest=world.policy.digest,
        kernel=KERNEL,
        hashes=state.hashes,
    )


def _without_hashes(state: Outcome) -> Outcome:
    return replace(state, hashes=b"")


def _planes_differ(late: Plane, whole: Plane, without: Sequence[str]) -> list[str]:
    wrong = []
    for table in whole.files:
        if table in without:
            wrong += [f"plane {table} of nothing"] if late.files.get(table) else []
        elif table == "classes":
            if classes(late) != classes(whole):
                wrong.append("plane classes differ")
        else:
            wrong += _rows_differ(f"plane {table}", late.files[table], whole.files[table])
    for name in ("digest", "rows", "findings"):
        a, b = getattr(late, name), getattr(whole, name)
        if a != b:
            wrong.append(f"plane {name}: late {a}, whole {b}")
    return wrong


def classes(plane: Plane) -> dict[str, dict[str, Any]]:
    """A plane's classes by what makes them, added up over its files; those of no call left out."""
    found: dict[str, dict[str, Any]] = {}
    for path in plane.files["classes"]:
        for row in pq.ParquetFile(path).read().to_pylist():
            sums = {name: row.pop(name) or 0 for name in ("calls", *SUMS)}
            so_far = found.setdefault(str(sorted(row.items())), dict.fromkeys(sums, 0))
            for name, value in sums.items():
                so_far[name] += value
    return {of: sums for of, sums in found.items() if sums["calls"]}


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
    if previous.hashes and late.hashes != whole.hashes:
        wrong.append("hashes differ")
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
