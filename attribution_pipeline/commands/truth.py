"""``attribution truth``: run the pipeline on the made-up company and hold it against the truth.

Belongs here: the command: which faults are played, the table that people read, ``truth.json``.
Does not: the measures and goals (``proof/accuracy``), the company (``simulator``).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from attribution_pipeline.proof.accuracy import Accuracy

DAYS = 3
SPANS_PER_DAY = 50_000
SEED = 7
GOAL_MISSED = 1

MARKER = "attribution-truth"
"""A file that says a folder was made by this command, so that it may make it again."""

SHOWN_FAILURES = 5


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("truth", short_help="Measure the pipeline where the truth is known")(truth)


def truth(
    out: Annotated[Path, typer.Option(help="Where the figures go, as JSON.")] = Path(
        "build/truth.json"
    ),
    days: Annotated[int, typer.Option(min=1, max=366, help="Charge days.")] = DAYS,
    spans_per_day: Annotated[int, typer.Option(min=1, help="Spans a day.")] = SPANS_PER_DAY,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same company.")] = SEED,
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Work folder, made anew.")
    ] = Path("build/truth"),
    fault: Annotated[
        list[str] | None, typer.Option(help="Only this fault (`none`, `all`); may be repeated.")
    ] = None,
) -> None:
    """Play the company without faults, with each fault, and with all; measure; print; write OUT.

    Status 1 where a goal is missed: metered cost on a wrong tenant, a difference to the bill, more
    error than the evidence implies, or lost money under a wrong reason.
    """
    runs = _runs(fault or [])
    _make_anew(directory)
    done: list[Run] = []
    for faults in runs:
        name = _name(faults)
        typer.echo(f"{name} ...", err=True)
        accuracy = measured(
            directory / name, faults, days=days, spans_per_day=spans_per_day, seed=seed
        )
        done.append(Run(faults, accuracy))
    for line in table(done):
        typer.echo(line)
    out.parent.mkdir(parents=True, exist_ok=True)
    records = [run.accuracy.as_record(run.faults) for run in done]
    partial = out.with_name(out.name + ".tmp")
    partial.write_text(json.dumps(records, indent=1) + "\n")
    os.replace(partial, out)
    failed = [(run, failure) for run in done for failure in run.accuracy.failures]
    for run in done:
        for failure in run.accuracy.failures[:SHOWN_FAILURES]:
            typer.echo(f"failed: {_name(run.faults)}: {failure}", err=True)
        if len(run.accuracy.failures) > SHOWN_FAILURES:
            more = len(run.accuracy.failures) - SHOWN_FAILURES
            typer.echo(f"failed: {_name(run.faults)}: and {more} more, see {out}", err=True)
    if failed:
        raise typer.Exit(GOAL_MISSED)


@dataclass(frozen=True)
class Run:
    """One company that was played, and how right its ledger is."""

    faults: Sequence[str]
    accuracy: Accuracy


def measured(
    directory: Path, faults: Sequence[str], *, days: int, spans_per_day: int, seed: int
) -> Accuracy:
    """Write the company into ``directory``, run the pipeline on it, measure its ledger."""
    import pyarrow.dataset as ds

    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.orchestration.run import run_days
    from attribution_pipeline.proof.accuracy import measure
    from attribution_pipeline.simulator import write_company

    report = write_company(
        directory, days=days, spans_per_day=spans_per_day, seed=seed, faults=faults
    )
    first = date.fromisoformat(report.first_day)
    last = first + timedelta(days=days - 1)
    deployment = load_deployment(directory / "attribution.yaml")
    run = run_days(deployment, first, last, progress=None)
    ledger = Lake(Path(deployment.storage)).read("ledger", first, last)
    tables = [
        ds.dataset(str(directory / "truth" / name), format="parquet").to_table()
        for name in ("costs", "bounds")
    ]
    found = measure(ledger, *tables)
    return replace(found, failures=[*run.failures, *found.failures])


def table(runs: Sequence[Run]) -> list[str]:
    """What people read: one line a run and cost, then the reasons."""
    from attribution_pipeline.proof.accuracy import text

    lines = ["", "Wrong-tenant cost by confidence, in USD, beside what the evidence allows", ""]
    head = (
        "faults",
        "cost",
        "tie-out",
        "metered",
        "allocated",
        "estimated",
        "bound",
        "knowable on cause",
    )
    rows = [
        (
            _name(run.faults), cost.removesuffix("_cost"), text(found.tie_out),
            *(text(found.wrong_tenant[name]) for name in ("metered", "allocated", "estimated")),
            text(found.bound), str(found.share_on_cause),
        )
        for run in runs
        for cost, found in run.accuracy.by_cost.items()
    ]  # fmt: skip
    lines += _aligned([head, *rows], left=2)
    lines += ["", "Unallocated effective cost by reason, beside what truth expects", ""]
    reasons = [
        (_name(run.faults), row.reason, text(row.said), text(row.expected), text(row.apart))
        for run in runs
        for row in run.accuracy.by_cost["effective_cost"].reasons
    ]
    lines += _aligned([("faults", "reason", "ledger", "expected", "apart"), *reasons], left=2)
    missed = sum(bool(run.accuracy.failures) for run in runs)
    lines += ["", f"{len(runs) - missed} of {len(runs)} runs meet every goal"]
    return lines


def _aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            value.ljust(width) if place < left else value.rjust(width)
            for place, (value, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _runs(chosen: Sequence[str]) -> list[tuple[str, ...]]:
    from attribution_pipeline.simulator import FAULTS
    from attribution_pipeline.simulator.faults import check

    every = tuple(FAULTS)
    if not chosen:
        return [(), *((name,) for name in every), every]
    check([name for name in chosen if name not in ("none", "all")])
    return [{"none": (), "all": every}.get(name, (name,)) for name in chosen]


def _name(faults: Sequence[str]) -> str:
    if not faults:
        return "none"
    return faults[0] if len(faults) == 1 else "all"


def _make_anew(directory: Path) -> None:
    """An empty ``directory`` with the marker. Raises Refusal for a folder that others made."""
    from attribution_pipeline.model.errors import Refusal

    if directory.exists() and not directory.is_dir():
        raise Refusal("is a file", where=str(directory), remedy="name a folder with --dir")
    if directory.is_dir() and any(directory.iterdir()):
        if not (directory / MARKER).exists():
            raise Refusal(
                "holds files that `attribution truth` did not write",
                where=str(directory),
                remedy="name another folder with --dir",
            )
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARKER).write_text("made by `attribution truth`, which makes it anew each time\n")
