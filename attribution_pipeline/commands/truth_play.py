"""Playing the made-up company: what arrives when, and the real pipeline after each arrival.

Belongs here: the order of arrivals, the runs, the ledger that is left at the end and how right it
is. Does not: the command and its table (``truth``, ``truth_table``), the measures
(``proof/accuracy``), what arrives (``simulator``).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.proof.accuracy import Accuracy


@dataclass(frozen=True)
class Size:
    """How large a company is played."""

    days: int
    spans_per_day: int
    seed: int


@dataclass
class Run:
    """One company that was played, and how right its ledger is; its peers' by name."""

    faults: Sequence[str]
    size: Size
    accuracy: Accuracy
    cpu_seconds: float = 0.0
    peers: dict[str, Accuracy | str] = field(default_factory=dict)
    """Text says why a peer gave no figures."""

    @property
    def name(self) -> str:
        return name_of(self.faults)


def name_of(faults: Sequence[str]) -> str:
    """How a run is called: ``none``, a fault, two with a plus, or ``all``."""
    if not faults:
        return "none"
    return "+".join(faults) if len(faults) <= 2 else "all"


def play(directory: Path, faults: Sequence[str], size: Size) -> Accuracy:
    """Write the company into ``directory``, run the pipeline after each arrival, measure the ledger
    that is left."""
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.orchestration.run import run_days
    from attribution_pipeline.simulator import write_company

    report = write_company(
        directory, days=size.days, spans_per_day=size.spans_per_day, seed=size.seed, faults=faults
    )
    first = date.fromisoformat(report.first_day)
    last = first + timedelta(days=size.days - 1)
    failures: list[str] = []
    for _ in arrivals(directory):
        # a new deployment each time, as a schedule would have it
        deployment = load_deployment(directory / "attribution.yaml")
        failures = run_days(deployment, first, last, progress=None).failures
    ledger = Lake(deployment.place).read("ledger", first, last)
    found = measured(ledger, directory)
    return replace(found, failures=[*failures, *found.failures])


def measured(ledger: pa.Table, directory: Path, *, coarse: bool = False) -> Accuracy:
    """How right ``ledger`` is by the truth of the company in ``directory``."""
    import pyarrow.dataset as ds

    from attribution_pipeline.proof.accuracy import measure

    tables = [
        ds.dataset(str(directory / "truth" / name), format="parquet").to_table()
        for name in ("costs", "bounds")
    ]
    return measure(ledger, *tables, coarse=coarse)


def arrivals(directory: Path) -> Iterator[str]:
    """Put the company's files into the state before anything late came, yield, and let stage after
    stage arrive; yields its name each time. Leaves the final state."""
    stages: list[dict[str, Any]] = json.loads((directory / "truth" / "arrivals.json").read_text())
    held = directory / "truth" / "held"
    for stage in stages:
        for name in stage["paths"]:
            (held / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).rename(held / name)
            before = directory / "truth" / "before" / name
            if before.exists():
                shutil.copyfile(before, directory / name)
    yield "on time"
    for stage in stages:
        for name in stage["paths"]:
            # written now, as a vendor does: whoever asks which came last finds this one
            (directory / name).write_bytes((held / name).read_bytes())
        yield stage["stage"]
    shutil.rmtree(held, ignore_errors=True)


def cpu_seconds() -> float:
    """Of this process and the children that it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
