"""Writes the company: days in order, each drawn by the chunk, its evidence and its truth.

Belongs here: the order of things and what is counted for the report. Does not: any of them. Memory
is that of one chunk and of sums that do not grow with traffic, whatever the size of a day.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.money import to_text
from attribution_pipeline.simulator import cluster, opencost, retries
from attribution_pipeline.simulator.business import Business
from attribution_pipeline.simulator.cluster import APP_CLUSTER, GPU_CLUSTER, Clusters
from attribution_pipeline.simulator.company import WHO_COUNT, WORKFLOWS, who_columns
from attribution_pipeline.simulator.deployment import CLOSES, deployment_text, policy_text
from attribution_pipeline.simulator.drafts import Arrivals
from attribution_pipeline.simulator.emission import Emitter, Ids, Streams
from attribution_pipeline.simulator.envelopes import Carried, carry, key_file
from attribution_pipeline.simulator.exports import Exports, next_month
from attribution_pipeline.simulator.faults import (
    CORRECTIONS,
    LATE_SPANS,
    RETRIES_ACROSS_QUEUES,
    check,
)
from attribution_pipeline.simulator.node_charges import node_charges, node_correction
from attribution_pipeline.simulator.objects import SpanWriter, flush_for
from attribution_pipeline.simulator.other_charges import UsageReport, other_charges
from attribution_pipeline.simulator.report import Report
from attribution_pipeline.simulator.scenarios import Scenario, attempt_text
from attribution_pipeline.simulator.tally import DayTally
from attribution_pipeline.simulator.token_charges import (
    correction,
    later_corrections,
    token_charges,
)
from attribution_pipeline.simulator.traffic import CHUNK_SPANS, DAY_MS, Chunk, draw
from attribution_pipeline.simulator.truth import TruthTables, write_table

FIRST_DAY = date(2026, 10, 5)
DEFAULT_DAYS, DEFAULT_SPANS_PER_DAY, DEFAULT_SEED = 3, 50_000, 7

MAX_DAYS = 366
MAX_SPANS_PER_DAY = 100_000_000

SCALE_STEP_SPANS = 50_000
MAX_SCALE = 16
"""Clusters grow with the square root of traffic, up to this many times the small one."""

(
    _COMPANY, _TRAFFIC, _DELAYS, _FAULTS, _BILL, _IDENTITY, _SECOND, _RETRIES, _AGAIN, _SCENARIO,
) = range(10)  # fmt: skip
"""Streams of random numbers: one part of the company never shifts another's draws."""


def write_company(
    directory: Path,
    *,
    days: int = DEFAULT_DAYS,
    spans_per_day: int = DEFAULT_SPANS_PER_DAY,
    seed: int = DEFAULT_SEED,
    first_day: date | None = None,
    faults: Sequence[str] = (),
    scenario: Scenario | None = None,
    business: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """A complete deployment of a made-up company in ``directory``, with ``truth/``.

    Same arguments, same bytes. ``spans_per_day`` counts all spans that pods emit; about two in
    five are billed calls. ``faults`` withhold evidence (``faults.FAULTS``); truth stays what
    happened. ``scenario``: what moves a tenant's spend, from day to day; played without faults.
    ``business``: with budgets, a gateway's counters, outcomes and a control plane; all else is the
    same bytes.
    ``progress`` gets one line a day. Raises Refusal for arguments out of range and for a
    directory that already holds something else.
    """
    wanted = check(faults)
    _require("days", days, 1, MAX_DAYS)
    _require("spans-per-day", spans_per_day, 1, MAX_SPANS_PER_DAY)
    _require("seed", seed, 0, 2**63 - 1)
    if scenario is not None and wanted:
        raise Refusal("a scenario is played without faults", remedy="leave one of the two out")
    if directory.exists() and any(directory.iterdir()):
        raise Refusal(
            "the folder is not empty", where=str(directory), remedy="name a new folder, or empty it"
        )
    company = _Company(
        directory, days, spans_per_day, seed, first_day or FIRST_DAY, wanted, scenario, progress
    )
    if business:
        company.business = Business(directory, company.days, company._rng)
    return company.write()


def _require(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Refusal(f"{name} is {value}", remedy=f"use a number from {least} to {most}")


class _Company:
    def __init__(
        self, directory: Path, days: int, spans_per_day: int, seed: int, first_day: date,
        faults: frozenset[str], scenario: Scenario | None,
        progress: Callable[[str], None] | None,
    ) -> None:  # fmt: skip
        self.scenario = scenario
        self.business: Business | None = None
        self.directory, self.seed, self.first_day, self.faults = directory, seed, first_day, faults
        self.days = [first_day + timedelta(days=number) for number in range(days)]
        self.spans_per_day, self.progress = spans_per_day, progress
        scale = max(1, min(MAX_SCALE, round((spans_per_day / SCALE_STEP_SPANS) ** 0.5)))
        self.clusters: Clusters = cluster.build(self._rng(_COMPANY), scale)
        self.wrong = opencost.snapshots(self.clusters, faults)
        self.arrivals = Arrivals(directory, faults)
        self.exports = Exports(directory, self.arrivals)
        self.spans = SpanWriter(
            directory / "spans", self.clusters, faults, flush_for(spans_per_day)
        )
        self.totals = [0, 0]
        self.report = Report(
            str(directory), str(self.days[0]), str(self.days[-1]), sorted(faults),
            pods=len(self.clusters.pods), pods_of_three_tenants=len(self.clusters.pods),
        )  # fmt: skip

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *stream])))

    def write(self) -> Report:
        _write(
            self.directory / "attribution.yaml",
            deployment_text(self.first_day, business=self.business is not None).encode(),
        )
        _write(self.directory / "keys.yaml", key_file().encode())
        (self.directory / CLOSES).mkdir()
        _write(self.directory / "policies" / "policy-1.yaml", policy_text(self.first_day).encode())
        tally = self._tally(0)
        for number, day in enumerate(self.days):
            following = self._tally(number + 1)
            self._write_spans(number, tally, following)
            self._write_snapshots(number, day)
            self._write_bill(number, day, tally)
            if self.progress:
                self.progress(
                    f"{day}: {self.spans_per_day:,} spans, {int(tally.calls.sum()):,} calls"
                )
            tally = following
        self.exports.write(self.days[-1])
        if self.business is not None:
            self.business.write()
        return self._finish()

    def _tally(self, number: int) -> DayTally:
        return DayTally(self._midnight(number), len(self.clusters.pods))

    def _midnight(self, number: int) -> int:
        day = self.first_day + timedelta(days=number)
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000

    def _write_spans(self, number: int, today: DayTally, tomorrow: DayTally) -> None:
        parts = -(-self.spans_per_day // CHUNK_SPANS)
        emitter = Emitter(
            self.clusters, self.spans, number, today, tomorrow, number == len(self.days) // 2
        )
        for part in range(parts):
            spans = self.spans_per_day * (part + 1) // parts - self.spans_per_day * part // parts
            rng = self._rng(_TRAFFIC, self._like(number), part)
            chunk = draw(
                rng, self.clusters, day_start_ms=today.start_ms, spans=spans, part=(part, parts),
                last_day=number == len(self.days) - 1,
            )  # fmt: skip
            again = self._rng(_RETRIES, number, part)
            picked = retries.chosen(chunk, self.clusters, again)
            picked &= RETRIES_ACROSS_QUEUES in self.faults
            if self.scenario is not None:
                chunk = self.scenario.changed(number, chunk)
                if self.scenario.steady:  # the same calls, not the same spans
                    rng = self._rng(_SCENARIO, number, part, _TRAFFIC)
                self._write_scenario(self.scenario, emitter, chunk, spans, (part, parts))
            ids = emitter.ids(chunk, rng)
            streams = self._streams(rng, number, part)
            emitted, carried = emitter.emit(chunk, ids, streams, spared=picked)
            if self.business is not None:
                self.business.outcomes(number, part, chunk, ids, carried)
            self.report.spans += emitted
            self.report.calls += len(chunk.call_end)
            if picked.any():
                self._write_retries(emitter, chunk, ids, carried, picked, again, part)

    def _write_retries(
        self, emitter: Emitter, chunk: Chunk, ids: Ids, carried: Carried, picked: np.ndarray,
        rng: np.random.Generator, part: int,
    ) -> None:  # fmt: skip
        number = emitter.day_number
        found = retries.retry(
            chunk, picked, self.clusters, rng, day_end_ms=emitter.tomorrow.start_ms,
            last_day=number == len(self.days) - 1,
        )  # fmt: skip
        carried = retries.carry_on(found, carried, chunk, ids.traces, ids.calls, rng)
        streams = self._streams(rng, number, part, _AGAIN)
        emitted, _ = emitter.emit(
            found.chunk, emitter.ids(found.chunk, rng), streams, carried=carried
        )
        self.report.spans += emitted
        self.report.calls += len(found.chunk.call_end)

    def _write_scenario(
        self, scenario: Scenario, emitter: Emitter, chunk: Chunk, spans: int, part: tuple[int, int]
    ) -> None:
        """What the scenario adds to a chunk, from streams of its own."""
        number, last_day = emitter.day_number, emitter.day_number == len(self.days) - 1
        rng = self._rng(_SCENARIO, number, part[0])
        added = []
        more = scenario.more_requests(
            number, rng, self.clusters, day_start_ms=emitter.today.start_ms, spans=spans, part=part,
            last_day=last_day,
        )  # fmt: skip
        if more is not None:
            added.append((1, more))
        before_ms = emitter.tomorrow.start_ms + (0 if last_day else DAY_MS)
        added += scenario.retries(number, chunk, before_ms=before_ms)
        for attempt, found in added:
            streams = self._streams(rng, number, part[0], _SCENARIO, attempt)
            everything = np.ones(len(found.root_who), dtype=bool)
            carried = carry(
                found, self.clusters, self.faults, streams.identity, whole=everything,
                spared=~everything,
            )  # fmt: skip
            if attempt > 1:
                carried = replace(carried, more=attempt_text(attempt))
            emitted, _ = emitter.emit(found, emitter.ids(found, rng), streams, carried=carried)
            self.report.spans += emitted
            self.report.calls += len(found.call_end)

    def _streams(self, ids: np.random.Generator, *place: int) -> Streams:
        return Streams(
            ids, self._rng(_DELAYS, *place), self._rng(_FAULTS, *place),
            self._rng(_IDENTITY, *place), self._rng(_SECOND, *place),
        )  # fmt: skip

    def _write_snapshots(self, number: int, day: date) -> None:
        for name in (APP_CLUSTER, GPU_CLUSTER):
            folder = self.directory / "opencost" / name
            rows = opencost.allocation(self.clusters, name, day, number, self.wrong)
            _write(folder / f"allocation-{day}.json", orjson.dumps(rows))
            rows = opencost.assets(self.clusters, name, day, self.wrong)
            _write(folder / f"assets-{day}.json", orjson.dumps(rows))

    def _write_bill(self, number: int, day: date, tally: DayTally) -> None:
        usage = UsageReport()
        charges = [
            *token_charges(day, tally, self._prices_times(number)),
            *node_charges(day, tally, self.clusters, self.wrong),
            *other_charges(self._rng(_BILL, self._like(number)), day, self.first_day, tally, usage),
        ]
        # corrections come in a later billing period than the day that they correct
        later = next_month(self.days[-1].replace(day=1))
        if number == 0:
            charges += correction(day, tally, later)
        if CORRECTIONS in self.faults:
            charges += later_corrections(day, tally, later)
            charges += node_correction(day, tally, self.clusters, self.wrong, later)
        tables = TruthTables()
        for charge in charges:
            charge.tell(tables)
            for place in (0, 1):
                amounts = [(line.billed, line.effective)[place] for line in charge.lines]
                self.totals[place] += charge.of_day[place] if charge.of_day else sum(amounts)
        self.exports.add(day, charges)
        truth = tables.truth()
        if self.business is not None:
            self.business.spent(day, truth)
        write_table(truth, self.directory / "truth" / "costs" / f"{day}.parquet")
        write_table(tables.bounds(), self.directory / "truth" / "bounds" / f"{day}.parquet")
        _write(self.directory / "usage" / f"usage-{day}.csv", _usage_text(day, usage).encode())
        serves = (
            tally.ms.sum(axis=2).reshape(len(self.clusters.pods), -1, len(WORKFLOWS)).sum(axis=2)
            > 0
        ).sum(axis=1)
        three = int((serves >= 3).sum())
        self.report.pods_of_three_tenants = min(self.report.pods_of_three_tenants, three)

    def _like(self, number: int) -> int:
        """The day whose luck a day has."""
        return 0 if self.scenario is not None and self.scenario.steady else number

    def _prices_times(self, number: int) -> int:
        return self.scenario.prices_times(number) if self.scenario is not None else 1

    def _finish(self) -> Report:
        report = self.report
        report.deliveries, report.objects = self.spans.deliveries, self.spans.objects
        report.span_bytes, report.bill_rows = self.spans.stored_bytes, self.exports.rows
        report.billed, report.effective = (to_text(total) for total in self.totals)
        told = {
            **asdict(report), "directory": ".", "seed": self.seed,
            "spans_per_day": self.spans_per_day,
            **{
                f"{name}_node": self.clusters.nodes[node].instance_id
                for name, node in asdict(self.wrong).items()
                if node >= 0
            },
        }  # fmt: skip
        _write(self.directory / "truth" / "company.json", json.dumps(told, indent=1).encode())
        if LATE_SPANS in self.faults:
            lines = ["path,spans,hours_late,uploaded_at"]
            lines += [",".join(map(str, one)) for one in sorted(self.spans.late)]
            _write(self.directory / "truth" / "late.csv", ("\n".join(lines) + "\n").encode())
            for path, *_ in self.spans.late:
                self.arrivals.later(LATE_SPANS, self.directory / path)
        self.arrivals.write()
        return report


def _usage_text(day: date, usage: UsageReport) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["date", "service", "resource_id", "tenant_id", "workflow_id", "metric", "quantity"]
    )
    for service, resource, metric, who, quantity in usage.rows:
        said = {} if who == WHO_COUNT else who_columns(who)
        names = [said.get("tenant_id", ""), said.get("workflow_id", "")]
        writer.writerow([day, service, resource, *names, metric, quantity])
    return out.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
