"""Reads objects by their source's reader in a process of its own, and says what that took.

``python -m attribution_pipeline_tests.hostile.measured KIND=FILE...``: JSON, one line each.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from attribution_pipeline.sources.landing import Source, _reader
from attribution_pipeline.sources.landing_run import (
    UNREADABLE_CONTENT,
    read_batches,
    refusal_of,
)
from attribution_pipeline.sources.objects import list_objects, open_object

FORMATS = {"vendor": "openai"}
KINDS = {"vendor": "billing"}


def peak_kilobytes() -> int:
    """The most resident memory since it was forgotten last."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in one]
    return int(line.split()[1])


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def outcome(kind: str, file: Path) -> dict[str, object]:
    """Reason, rows and rejected records of one object, seconds and kilobytes that it took."""
    source = Source(KINDS.get(kind, kind), "s", file, format=FORMATS.get(kind, ""), account="a")
    reader = _reader(source, frozenset())
    (obj,) = list_objects("s", file).objects
    forget_peak()
    before = peak_kilobytes()
    began = time.perf_counter()
    reason, rows, rejected = "", 0, []
    with open_object(obj) as opened:
        try:
            for batch in read_batches(reader, opened, obj, source.kind):
                rows += len(batch.rows)
                rejected += [one.reason for one in batch.rejected]
        except UNREADABLE_CONTENT as error:
            reason = refusal_of(error, obj).reason
    return {
        "reason": reason,
        "rows": rows,
        "rejected": sorted(set(rejected)),
        "seconds": time.perf_counter() - began,
        "kilobytes": peak_kilobytes() - before,
    }


def main(*named: str) -> None:
    """Everything is read in the order given: what is imported on the way counts for the first."""
    for one in named:
        kind, _, file = one.partition("=")
        print(json.dumps({"kind": kind, "file": Path(file).name, **outcome(kind, Path(file))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
