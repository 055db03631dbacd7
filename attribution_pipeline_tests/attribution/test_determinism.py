"""Same evidence, same ledger: whatever the order of files, the threads, or the run."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from attribution_pipeline_tests.attribution.days import METERS, call, day, token_line


def evidence():
    dice = random.Random(11)
    lines = [token_line(n, f"{n}.123456789012", f"m-{kind}", 10**6)
             for n, kind in enumerate(("uncached", "read", "output"), 1)]  # fmt: skip
    spans = [
        call(n, dice.choice(["a", "b", "c", None]), uncached_input=dice.randrange(900),
             cache_read=dice.randrange(90), visible_output=dice.randrange(500),
             workflow_id=dice.choice(["w1", "w2", None]))
        for n in range(2_000)
    ]  # fmt: skip
    # the same span again, and again with a later end: the later one wins wherever it stands
    repeated = [dict(spans[7], position=9001), dict(spans[8], position=9002)]
    repeated[1]["end_unix_nano"] += 5
    return lines, spans + repeated


def run(folder: Path, *, shuffle: int, files: int, threads: int):
    folder.mkdir()
    lines, spans = evidence()
    random.Random(shuffle).shuffle(lines)
    random.Random(shuffle).shuffle(spans)
    found = day(folder, METERS, lines=lines, spans=spans, files_per_table=files, threads=threads)
    bytes_of = {
        name: [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]
        for name, paths in found.outcome.files.items()
    }
    return found, bytes_of


@pytest.mark.parametrize(("files", "threads"), [(1, 1), (5, 2), (3, 4)])
def test_order_of_files_threads_and_runs_change_no_byte(tmp_path, files, threads):
    first, bytes_first = run(tmp_path / "one", shuffle=1, files=1, threads=2)
    again, bytes_again = run(tmp_path / "two", shuffle=2, files=files, threads=threads)
    assert again.outcome.content_digest == first.outcome.content_digest
    assert bytes_again == bytes_first
    assert {n: p.digest for n, p in again.planes.items()} == {
        n: p.digest for n, p in first.planes.items()
    }


def test_a_quantum_more_changes_the_digest(tmp_path):
    """The digest can fail."""
    digests = set()
    for number, cost in enumerate(("1.000000000000", "1.000000000001")):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines = [token_line(1, cost, "m-uncached", 10)]
        digests.add(
            day(
                folder, METERS, lines=lines, spans=[call(1, "a", uncached_input=5)]
            ).outcome.content_digest
        )
    assert len(digests) == 2
