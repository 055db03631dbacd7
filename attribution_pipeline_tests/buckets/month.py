"""``python -m attribution_pipeline_tests.buckets.month``: a month on S3, and the same on local files.

Belongs here: the made-up company's days on local files by one run; then from and to a bucket by two
backfills at once, each as on a machine of its own, and a third writer that is killed again and again.
The books must be the same, digest by digest. Does not: single faults (``test_faults``).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import yaml

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import Lake
from attribution_pipeline_tests.buckets import server
from attribution_pipeline_tests.buckets.deployments import moved_to
from attribution_pipeline_tests.buckets.paths import BucketPath
from attribution_pipeline_tests.reliability import inspection

SHORTEST_LIFE_S, LONGEST_LIFE_S = 3.0, 20.0
"""Of the writer that is killed: a process needs some seconds before it writes."""


@dataclass
class Told:
    """What a month came to."""

    days: int = 0
    kills: int = 0
    local_s: float = 0.0
    bucket_s: float = 0.0
    states: int = 0
    wrong: list[str] = field(default_factory=list)


def play(folder: Path, place: BucketPath, days: int, spans: int, kills: int, seed: int = 7) -> Told:
    """Both ways, and what differs."""
    told = Told(days)
    here = folder / "here"
    _attribution("demo", here, "--days", days, "--spans-per-day", spans, "--seed", seed).wait()
    there = Path(shutil.copytree(here, folder / "there"))
    first = load_deployment(here / "attribution.yaml").first_day
    last = first + timedelta(days=days - 1)
    began = time.monotonic()
    _run(here / "attribution.yaml", first, last).wait()
    told.local_s = time.monotonic() - began
    config = moved_to(place, there)
    began = time.monotonic()
    _crowd(config, folder, first, days, kills, random.Random(seed), told)
    ended = _run(config, first, last).wait()  # what was left undone, as a backfill is run again
    told.bucket_s = time.monotonic() - began
    if ended != 0:
        told.wrong.append(f"the last run ended with {ended}")
    told.wrong += _differing(here / "attribution.yaml", config, told)
    return told


def _crowd(
    config: Path, folder: Path, first: date, days: int, kills: int, dice: random.Random, told: Told
) -> None:
    """Two backfills that overlap in their middle, and a writer over all days that never lives long."""
    last = first + timedelta(days=days - 1)
    third = max(1, days // 3)
    ranges = [
        (first, last - timedelta(days=third if days > 1 else 0)),
        (first + timedelta(days=third if days > 1 else 0), last),
    ]
    backfills = [
        _run(_on_a_machine_of_its_own(config, folder, str(number)), *between)
        for number, between in enumerate(ranges)
    ]
    doomed = _on_a_machine_of_its_own(config, folder, "doomed")
    while told.kills < kills:
        writer = _run(doomed, first, last)
        time.sleep(dice.uniform(SHORTEST_LIFE_S, LONGEST_LIFE_S))
        alive = writer.poll() is None
        if alive:
            os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        told.kills += alive
        if not alive and all(one.poll() is not None for one in backfills):
            break
    for one in backfills:
        # a day that the other one recorded first is a failed day of this one: it is run again
        one.wait()


def _on_a_machine_of_its_own(config: Path, folder: Path, name: str) -> Path:
    """The same deployment without a lock or a copy in common."""
    said = yaml.safe_load(config.read_text(encoding="utf-8"))
    said["scratch"] = str(folder / f"scratch-{name}")
    said["compute"] = {"threads": 1}
    own = config.with_name(f"attribution-{name}.yaml")
    own.write_text(yaml.safe_dump(said), encoding="utf-8")
    return own


def _differing(here: Path, there: Path, told: Told) -> Iterator[str]:
    ours, theirs = (Lake(load_deployment(config).place) for config in (here, there))
    if ours.days() != theirs.days():
        yield f"recorded are {theirs.days()}, not {ours.days()}"
    for day in ours.days():
        mine, other = _said(ours, day), _said(theirs, day)
        yield from (f"{day}: {key} differs" for key in mine if mine[key] != other[key])
        yield from (f"{day}: {text}" for text in theirs.differences(day))
    theirs.verify(min(ours.days()), max(ours.days()))
    told.states = len(theirs.states())
    yield from inspection.each_state_once(theirs.storage)  # type: ignore[arg-type]


def _said(lake: Lake, day: date) -> Mapping[str, object]:
    said = lake.manifest(day)
    return {
        "content": said["output"]["content_digest"],
        "totals": said["output"]["totals"],
        "evidence": {name: plane["digest"] for name, plane in said["inputs"].items()},
    }


def _run(config: Path, first: date, last: date) -> subprocess.Popen[bytes]:
    return _attribution("run", "--config", config, "--from", first, "--to", last)


def _attribution(*words: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **server.KEYS}
    environment.pop("DAGSTER_HOME", None)
    return subprocess.Popen(
        [sys.executable, "-m", "attribution_pipeline", *map(str, words)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """0: the books are the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--spans-per-day", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=10)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="attribution-s3-month-") as folder:
        place = server.new_place(Path(folder) / "scratch")
        told = play(Path(folder), place, chosen.days, chosen.spans_per_day, chosen.kills)
    for text in told.wrong:
        print(text)
    print(
        f"{told.days} days, {told.states} states, {told.kills} writers killed; local "
        f"{told.local_s:.0f} s, on S3 {told.bucket_s:.0f} s: "
        f"{'DIFFERENT' if told.wrong else 'the same books, digest by digest'}"
    )
    return 1 if told.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
