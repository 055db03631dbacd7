"""What the company plans and what it gets: budgets with a gateway's counters, and outcomes.

Belongs here: both, from what happened. Does not: what happened (``traffic``), its cost (``charges``),
whose it is (``truth``). It draws from a stream of its own, so that with it or without, spans, bills and
truth are the same bytes.

Budgets are written so that each state is seen: within, expected to go over, over; and one gateway
whose price list is out of date.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attribution_pipeline.envelope.token import read_token
from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.simulator import controls
from attribution_pipeline.simulator.company import WORKFLOWS
from attribution_pipeline.simulator.exports import next_month
from attribution_pipeline.simulator.truth import CURRENCY

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.simulator.emission import Ids
    from attribution_pipeline.simulator.envelopes import Carried
    from attribution_pipeline.simulator.traffic import Chunk

STREAM = 100
"""Of random numbers, apart from those of ``write``."""

OUTCOMES: dict[str, tuple[str, float, float]] = {
    "chat-assist": ("resolution", 0.55, 0.82),
    "doc-qa": ("answer_accepted", 0.60, 0.90),
    "semantic-search": ("result_opened", 0.50, 1.0),
    "research-agent": ("workflow_completed", 0.90, 0.85),
    "coding-agent": ("accepted_suggestion", 0.80, 0.45),
    "refund-triage": ("resolution", 0.85, 0.70),
    "meeting-summary": ("workflow_completed", 0.70, 0.95),
    "translate": ("workflow_completed", 0.90, 0.97),
    "doc-import": ("workflow_completed", 0.95, 0.99),
    "nightly-digest": ("digest_opened", 0.06, 1.0),
}
"""Workflow -> kind, share of requests that anything is said of, share of those that were useful. Of
the others nothing is known; the nightly digest is a job whose output hardly anyone opens."""

WORSE, WORSE_TIMES = "chat-assist", 0.5
"""The workflow that costs what it did and is of less use in the newer half of the days, and what share
of its outcomes that were useful still is."""

STRAY_SHARE = 0.01
"""Outcomes of requests that the company's tracing never saw."""

MEAN_DELAY_MS = 25 * 60_000
MOST_DELAY_MS = 5 * 3_600_000

GATEWAY = "llm-gateway"
GATEWAY_SEES = (0.99, 1.0)
"""Least and most share of a tenant's calls of a day that go through it."""
OUTDATED, OUTDATED_TIMES = "umbrella", Decimal("1.12")
"""The tenant whose models the gateway prices by an old list, and how much too high."""


@dataclass(frozen=True)
class Budget:
    """One line of the budget file. ``times``: of what it costs on average, for the whole period; of
    one that is to be over, of what it has cost by now."""

    name: str
    scope: str
    times: str
    tenant: str = ""
    direct: bool = False
    workflow: str = ""
    is_over: bool = False


BUDGETS: tuple[Budget, ...] = (
    Budget("everything", "*", "1.15"),
    Budget("acme models", "tenant_id = acme; component = direct; surface = model_inference", "1.3", "acme", direct=True),
    Budget("globex models", "tenant_id = globex; component = direct; surface = model_inference", "0.85", "globex", direct=True),
    Budget("umbrella models", "tenant_id = umbrella; component = direct; surface = model_inference", "1.2", OUTDATED,
           direct=True),
    Budget("initech pilot", "tenant_id = initech; component = direct; surface = model_inference", "0.6", "initech", direct=True,
           is_over=True),
    Budget("research agents", "workflow_id = research-agent; component = direct; surface = model_inference", "1.4", direct=True,
           workflow="research-agent"),
)  # fmt: skip
"""Those of a tenant's models are counted by the gateway."""

_PENCE = Context(prec=2, rounding=ROUND_CEILING)
"""People budget in round numbers."""

_METERED, _EMBEDDINGS = "token_kind", "text-embedding"


class Business:
    """Collects what budgets need; writes outcomes as they come."""

    def __init__(
        self, directory: Path, days: list[date], rng: Callable[..., np.random.Generator]
    ) -> None:
        self._directory, self._days, self._rng = directory, days, rng
        self._spent: dict[date, dict[tuple[str, str, bool], int]] = {}
        (directory / "outcomes").mkdir(parents=True)
        (directory / "reservations").mkdir()
        controls.write_controls(directory, days, rng(controls.STREAM))

    def outcomes(self, number: int, part: int, chunk: Chunk, ids: Ids, carried: Carried) -> None:
        """What came of a chunk's requests, written to the day's file."""
        rng = self._rng(STREAM, number, part)
        path = self._directory / "outcomes" / f"outcomes-{self._days[number]}.csv"
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if not part:
                writer.writerow(["time", "operation_id", "trace_id", "kind", "value"])
            is_newer = number >= len(self._days) - len(self._days) // 2
            writer.writerows(_outcomes(rng, chunk, ids, carried, is_newer=is_newer))

    def spent(self, day: date, truth: pa.Table) -> None:
        """What the day cost, by tenant, workflow, and whether it is tokens of a model that answers."""
        by = ["tenant_id", "workflow_id", "model", _METERED]
        groups = truth.group_by(by, use_threads=False).aggregate([("effective_cost", "sum")])
        spent: dict[tuple[str, str, bool], int] = defaultdict(int)
        for row in groups.to_pylist():
            direct = row[_METERED] is not None and not row["model"].startswith(_EMBEDDINGS)
            key = (row["tenant_id"] or "", row["workflow_id"] or "", direct)
            spent[key] += to_quanta(row["effective_cost_sum"])[0]
        self._spent[day] = spent

    def write(self) -> None:
        """``reservations/``: the budgets, and one file of counters a day."""
        lines = ["# budgets: they guard spend and attribute nothing", "reservations:"]
        for first, end in self._periods():
            inside = [day for day in self._days if first <= day < end]
            for budget in BUDGETS:
                cost = sum(self._of(budget, day) for day in inside)
                times = 1 if budget.is_over else Decimal((end - first).days) / len(inside)
                amount = _PENCE.create_decimal(to_decimal(cost) * times * Decimal(budget.times))
                lines.append(
                    f'  - {{name: {budget.name}, scope: "{budget.scope}", period_start: {first}, '
                    f"period_end: {end}, amount: {amount:f}, currency: {CURRENCY}}}"
                )
            self._write_counters(first, end, inside)
        text = "\n".join(lines) + "\n"
        (self._directory / "reservations" / "budgets.yaml").write_text(text, encoding="utf-8")

    def _periods(self) -> Iterator[tuple[date, date]]:
        first = self._days[0]
        while first <= self._days[-1]:
            yield first, next_month(first)
            first = next_month(first)

    def _of(self, budget: Budget, day: date) -> int:
        return sum(
            quanta
            for (tenant, workflow, direct), quanta in self._spent[day].items()
            if (not budget.tenant or tenant == budget.tenant)
            and (not budget.workflow or workflow == budget.workflow)
            and (direct or not budget.direct)
        )

    def _write_counters(self, first: date, end: date, days: list[date]) -> None:
        counted: dict[str, Decimal] = defaultdict(Decimal)
        for number, day in enumerate(days):
            rng = self._rng(STREAM, (day - self._days[0]).days, number, STREAM)
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            path = self._directory / "reservations" / f"{GATEWAY}-{day}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["scope", "period_start", "period_end", "currency", "gateway",
                                 "counted", "counted_at"])  # fmt: skip
                for budget in BUDGETS:
                    if not budget.tenant:
                        continue
                    sees = Decimal(round(float(rng.uniform(*GATEWAY_SEES)), 4)).quantize(
                        Decimal("0.0001")
                    )
                    times = OUTDATED_TIMES if budget.tenant == OUTDATED else Decimal(1)
                    spent = to_decimal(self._of(budget, day)) * sees * times
                    counted[budget.name] += spent.quantize(Decimal("0.000001"))
                    writer.writerow([budget.scope, first, end, CURRENCY, GATEWAY,
                                     f"{counted[budget.name]:f}", midnight.isoformat()])  # fmt: skip


def _outcomes(
    rng: np.random.Generator, chunk: Chunk, ids: Ids, carried: Carried, *, is_newer: bool
) -> Iterator[list[Any]]:
    workflow = chunk.root_who % len(WORKFLOWS)
    habits = [OUTCOMES.get(one.name, ("", 0.0, 0.0)) for one in WORKFLOWS]
    times = [WORSE_TIMES if is_newer and one.name == WORSE else 1.0 for one in WORKFLOWS]
    luck, use, delay = rng.random((3, len(workflow)))
    said = luck < np.array([share for _, share, _ in habits])[workflow]
    shares = np.array([share for _, _, share in habits]) * np.array(times)
    useful = use < shares[workflow]
    delays = np.minimum(-np.log1p(-delay) * MEAN_DELAY_MS, MOST_DELAY_MS).astype(np.int64)
    stray = rng.random(len(workflow)) < STRAY_SHARE
    for root in np.flatnonzero(said).tolist():
        at = datetime.fromtimestamp(int(chunk.root_end[root] + delays[root]) / 1000, UTC)
        operation, trace = "", ids.root_traces[root]
        if stray[root]:
            trace = rng.bytes(16).hex()
        elif carried.envelopes[root] and not carried.unverified[root]:
            operation, trace = _operation_of(carried.envelopes[root]), ""
        kind = habits[int(workflow[root])][0]
        yield [at.isoformat(timespec="milliseconds"), operation, trace, kind, int(useful[root])]


def _operation_of(attribute: str) -> str:
    """The operation id in an envelope, as the application knows it that issued it."""
    token = json.loads(attribute.lstrip(","))["value"]["stringValue"]
    return read_token(token).claims.operation_id
