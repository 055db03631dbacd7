"""A policy backfill: what Dagster, its checks and its bookkeeping add to the engine's own time.

Belongs here: the recorded company, the rounds, their ratio. Does not: a single day's cost (``run``).

    python bench/backfill.py --out build/backfill.json [--days 90] [--spans-per-day 20000] [--quick]

Every round publishes a policy version that moves rows of every day, and brings all days under it:
once headless through Dagster, as ``attribution run`` does, with every check; once by the engine
alone (``record_day``: evidence looked up, reconciled, committed). Each program is a process of its
own, they take turns, and who goes first changes from round to round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

FIRST_DAY = date(2026, 7, 1)
DAYS, SPANS_PER_DAY, ROUNDS = 90, 20_000, 2
QUICK_DAYS, QUICK_SPANS_PER_DAY, QUICK_ROUNDS = 3, 2_000, 1

DRIVERS = ("cost", "even")
"""What divides the clusters' control planes, version after version: every version moves the rows of the one before."""


def main() -> None:
    options = parse()
    kept = nullcontext(options.data) if options.data else tempfile.TemporaryDirectory()
    with kept as folder:
        company = Path(folder) / "company"
        if not company.exists():
            say(f"writing, landing and recording {options.days} days")
            run("prepare", company, options)
        rounds = []
        version = 1
        for number in range(options.rounds):
            found = {}
            for program in ("dagster", "engine") if number % 2 else ("engine", "dagster"):
                version += 1
                publish(company, version)
                found[program] = run(program, company, options)
                say(f"round {number}: {program} {found[program]['seconds']:.1f} s")
            rounds.append(found)
    item = {
        "work": "backfill",
        "days": options.days,
        "spans_per_day": options.spans_per_day,
        **{
            f"ratio_of_{measure}": [
                round(found["dagster"][measure] / found["engine"][measure], 3) for found in rounds
            ]
            for measure in ("seconds", "cpu_seconds")
        },
        "seconds_a_day": {
            program: round(median(found[program]["seconds"] for found in rounds) / options.days, 3)
            for program in ("dagster", "engine")
        },
        "revised_rows": rounds[0]["dagster"]["revised"],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(item, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(item, indent=1))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--days", type=int)
    parser.add_argument("--spans-per-day", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, help="keep the company here, or use what is here")
    parser.add_argument("--program", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.days = options.days or (QUICK_DAYS if options.quick else DAYS)
    options.spans_per_day = options.spans_per_day or (
        QUICK_SPANS_PER_DAY if options.quick else SPANS_PER_DAY
    )
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    return options


def publish(company: Path, version: int) -> None:
    """A version that differs from the one before in the driver of one overhead pool."""
    text = (company / "policies" / "policy-1.yaml").read_text(encoding="utf-8")
    head, rest = text.split("name: control-planes", 1)
    changed = (
        head
        + "name: control-planes"
        + rest.replace("driver: cost", f"driver: {DRIVERS[1 - version % 2]}", 1)
    )
    (company / "policies" / f"policy-{version}.yaml").write_text(
        changed.replace("version: 1", f"version: {version}", 1), encoding="utf-8"
    )


def run(program: str, company: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One program in a process of its own."""
    command = [
        sys.executable, __file__, "--out", str(options.out), "--program", program,
        "--data", str(company), "--days", str(options.days),
        "--spans-per-day", str(options.spans_per_day),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} failed; its own words are above")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def child(options: argparse.Namespace) -> dict[str, Any]:
    """The timed part, imports and opening left out."""
    import dagster  # noqa: F401
    import duckdb  # noqa: F401
    import pandas  # noqa: F401

    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.recording import record_day
    from attribution_pipeline.orchestration.run import run_days

    if options.program == "prepare":
        return prepare(options)
    days = [FIRST_DAY + timedelta(days=number) for number in range(options.days)]
    deployment = load_deployment(options.data / "attribution.yaml")
    started, cpu = time.perf_counter(), time.process_time()
    if options.program == "dagster":
        report = run_days(deployment, days[0], days[-1])
        if report.failures:
            raise SystemExit("\n".join(report.failures))
    else:
        house = House(deployment)
        for day in days:
            record_day(house, day)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    lake = House(deployment).lake
    revised = [sum(lake.manifest(day)["output"]["revised"].values()) for day in days]
    if not all(revised):
        raise SystemExit("a day was not moved by its policy: nothing was measured")
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "revised": sum(revised)}


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """The company, landed, every day recorded under version 1."""
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.recording import record_day
    from attribution_pipeline.simulator import write_company
    from attribution_pipeline.sources.landing import land

    write_company(
        options.data, days=options.days, spans_per_day=options.spans_per_day, first_day=FIRST_DAY
    )
    house = House(load_deployment(options.data / "attribution.yaml"))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    for number in range(options.days):
        record_day(house, FIRST_DAY + timedelta(days=number))
    return {}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    chosen = parse()
    if chosen.program:
        print(json.dumps(child(chosen)))
    else:
        main()
