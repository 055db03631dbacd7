"""``make judges``: a month of the made-up company before the two outside judges.

Belongs here: the command. Does not: asking a judge (``judges``), what is accepted (``accepted.yaml``).
CI asks them about a day; a month adds its purchases, taxes and corrections, and takes minutes.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.config import load_deployment
from attribution_pipeline.export.focus import Wanted
from attribution_pipeline.orchestration.export import export_focus
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.export import judges
from attribution_pipeline_tests.export.accepting import accepted
from attribution_pipeline_tests.test_cli import run

DATASET = "demo company"
"""A month has the findings of its day: the bills are of one shape."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: each judge finds what ``accepted.yaml`` has a reason for, no more and no less."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--spans-per-day", type=int, default=1_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        out = exported_month(folder, chosen.days, chosen.spans_per_day)
        month, rows = one_parquet(out / "focus-1.2", folder / "month.parquet")
        print(f"{rows:,} rows of {chosen.days} days", flush=True)
        found = {
            "focus-validator 1.2": judges.official(month, (), folder),
            "focus-data-toolkit 1.4": judges.toolkit(one_csv(out / "focus-1.4", folder / "m.csv")),
        }
    wrong = 0
    for judge, findings in found.items():
        expected = accepted(DATASET, judge)
        unexpected, gone = sorted(findings - expected), sorted(expected - findings)
        print(f"{judge}: {len(findings)} findings, of which {len(unexpected)} unexpected")
        for code in unexpected:
            print(f"  unexpected: {code}")
        for code in gone:
            print(f"  accepted, and not found any more: {code}")
        wrong += len(unexpected) + len(gone)
    return 1 if wrong else 0


def exported_month(folder: Path, days: int, spans: int) -> Path:
    """The company, recorded and exported."""
    made = run("demo", folder / "company", "--days", days, "--spans-per-day", spans)
    assert made.exit_code == 0, made.output
    house = House(load_deployment(folder / "company" / "attribution.yaml"))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    for number in range(days):
        record_day(house, house.deployment.first_day + timedelta(days=number))
    export_focus(house, None, None, Wanted(), folder / "out")
    return folder / "out"


def one_parquet(days: Path, out: Path) -> tuple[Path, int]:
    """All days in one file: what a month's dataset is to its reader."""
    table = pa.concat_tables(
        (pq.read_table(path) for path in sorted(days.glob("*.parquet"))),
        promote_options="permissive",
    )
    pq.write_table(table, out)
    return out, table.num_rows


def one_csv(days: Path, out: Path) -> Path:
    """All days in one file, under the columns of all."""
    paths = sorted(days.glob("*.csv"))
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _columns(paths), restval="")
        writer.writeheader()
        for path in paths:
            with path.open(encoding="utf-8", newline="") as day:
                writer.writerows(csv.DictReader(day))
    return out


def _columns(paths: Iterable[Path]) -> list[str]:
    names: dict[str, None] = {}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as day:
            names |= dict.fromkeys(next(csv.reader(day)))
    return list(names)


if __name__ == "__main__":
    sys.exit(main())
