"""``attribution truth``: run the pipeline on the made-up company and hold it against the truth.

Belongs here: the command: which faults are played, alone and in pairs, and what is written. Does
not: playing (``truth_play``), tables (``truth_table``), measures and goals (``proof/accuracy``).
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from attribution_pipeline.commands.truth_play import Run
    from attribution_pipeline.proof.accuracy import Accuracy

DAYS = 3
SPANS_PER_DAY = 50_000
PAIR_DAYS = 2
PAIR_SPANS_PER_DAY = 3_000
"""Of a company under two faults: small, for there are 66 of them."""
SEED = 7
GOAL_MISSED = 1
ALL_PAIRS = "all"

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
        list[str] | None,
        typer.Option(help="Only this fault (`none`, `all`, `A+B`); may be repeated."),
    ] = None,
    pairs: Annotated[
        str, typer.Option(metavar="all|N", help="Pairs of faults as well: all, or N by luck.")
    ] = "0",
    peer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COMMAND",
            help="Measure what `COMMAND DIR OUT.parquet` makes of the same evidence, too; not of pairs.",
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A page whose tables are filled in.")
    ] = None,
) -> None:
    """Play the company without faults, with each fault, and with all; measure; print; write OUT.

    A pair of faults is played on a small company of 2 days. Status 1 where a goal is missed:
    metered cost on a wrong tenant, a difference to the bill, more error than the evidence implies,
    less than 99.5 % of knowable cost on its cause, or lost money under a wrong reason.
    """
    from attribution_pipeline.commands.truth_play import Run, Size, cpu_seconds, name_of, play
    from attribution_pipeline.commands.truth_table import fill_page, table

    large, small = Size(days, spans_per_day, seed), Size(PAIR_DAYS, PAIR_SPANS_PER_DAY, seed)
    runs = [(faults, large) for faults in _runs(fault or [])]
    runs += [(pair, small) for pair in _pairs(pairs)]
    peers = _peers(peer or [])
    _make_anew(directory)
    done: list[Run] = []
    for faults, size in runs:
        # a folder of its own for each: this process remembers what a lake's path held
        company, began = directory / name_of(faults), cpu_seconds()
        run = Run(faults, size, play(company, faults, size))
        run.cpu_seconds = cpu_seconds() - began
        if size == large:
            run.peers = {name: _measured_peer(command, company) for name, command in peers.items()}
        shutil.rmtree(company)
        typer.echo(f"{run.name}: {run.cpu_seconds:.0f} s of CPU", err=True)
        done.append(run)
    for line in table(done):
        typer.echo(line)
    _write(out, done)
    if page is not None:
        fill_page(page, done)
    _tell_failures(done, out)


def _tell_failures(done: Sequence[Run], out: Path) -> None:
    for run in done:
        for failure in run.accuracy.failures[:SHOWN_FAILURES]:
            typer.echo(f"failed: {run.name}: {failure}", err=True)
        if len(run.accuracy.failures) > SHOWN_FAILURES:
            more = len(run.accuracy.failures) - SHOWN_FAILURES
            typer.echo(f"failed: {run.name}: and {more} more, see {out}", err=True)
    if any(run.accuracy.failures for run in done):
        raise typer.Exit(GOAL_MISSED)


def _write(out: Path, done: Sequence[Run]) -> None:
    records = []
    for run in done:
        record = run.accuracy.as_record(run.faults)
        record["days"], record["spans_per_day"] = run.size.days, run.size.spans_per_day
        record["cpu_seconds"] = round(run.cpu_seconds, 1)
        record["peers"] = {
            name: found if isinstance(found, str) else found.as_record(run.faults)
            for name, found in run.peers.items()
        }
        for found in record["peers"].values():
            if isinstance(found, dict):
                # a peer misses goals by the thousand; its figures say enough
                found["failures"] = len(found["failures"])
        records.append(record)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".tmp")
    partial.write_text(json.dumps(records, indent=1) + "\n")
    os.replace(partial, out)


def _runs(chosen: Sequence[str]) -> list[tuple[str, ...]]:
    from attribution_pipeline.simulator import FAULTS
    from attribution_pipeline.simulator.faults import check

    every = tuple(FAULTS)
    if not chosen:
        return [(), *((name,) for name in every), every]
    named: dict[str, tuple[str, ...]] = {"none": (), "all": every}
    for name in chosen:
        if name not in named:
            named[name] = tuple(name.split("+"))
            check(named[name])
    return [named[name] for name in chosen]


def _pairs(wanted: str) -> list[tuple[str, ...]]:
    """All pairs of the twelve, or so many of them by luck, whose seed is told."""
    from attribution_pipeline.model.errors import Refusal
    from attribution_pipeline.simulator.faults import TWELVE

    every: list[tuple[str, ...]] = list(itertools.combinations(TWELVE, 2))
    if wanted == ALL_PAIRS:
        return every
    if not wanted.isdigit() or int(wanted) > len(every):
        raise Refusal(
            f"--pairs is {wanted}", remedy=f"use `all`, or a number from 0 to {len(every)}"
        )
    if wanted == "0":
        return []
    luck = int(os.environ.get("TRUTH_PAIRS_SEED") or random.SystemRandom().randrange(2**32))
    typer.echo(f"pairs by luck: TRUTH_PAIRS_SEED={luck} plays the same ones again", err=True)
    return random.Random(luck).sample(every, int(wanted))


def _peers(given: Sequence[str]) -> dict[str, str]:
    from attribution_pipeline.model.errors import Refusal

    peers = {}
    for text in given:
        name, equals, command = text.partition("=")
        if not (name and equals and command):
            raise Refusal(f"--peer is `{text}`", remedy="write NAME=COMMAND")
        peers[name] = command
    return peers


def _measured_peer(command: str, company: Path) -> Accuracy | str:
    """How right the ledger is that ``command`` makes of the company that was just played, or why
    there is none."""
    import shlex
    import subprocess

    import pyarrow.parquet as pq

    from attribution_pipeline.commands.truth_play import measured

    out = company / "peer.parquet"
    out.unlink(missing_ok=True)
    done = subprocess.run(
        [*shlex.split(command), str(company), str(out)], capture_output=True, text=True, check=False
    )
    if done.returncode or not out.exists():
        said = (done.stderr or done.stdout).strip().splitlines()
        return f"status {done.returncode}: {said[-1] if said else 'it said nothing'}"
    return measured(pq.read_table(out), company, coarse=True)


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
