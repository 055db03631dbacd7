"""The worked day's evidence on several days, one of them in a month that is closed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite

LEFT_ALONE, CLOSED, *STALE = (date(2026, 9, 29) + timedelta(days=n) for n in range(4))
"""Version 2 is in force from the second day on. September is closed."""
DAYS = (LEFT_ALONE, CLOSED, *STALE)


def four_days(folder: Path) -> Path:
    """The worked day's evidence on each of ``DAYS``, and a record that closes September."""
    shutil.copytree(WORKED_DAY / "policies", folder / "policies")
    rewrite(
        folder / "policies" / "policy-1.yaml",
        "effective_from: 2026-10-01",
        "effective_from: 2026-09-01",
    )
    for path in ("billing/focus.csv", "usage/usage.csv"):
        head, *lines = (WORKED_DAY / path).read_text().splitlines()
        _write(folder / path, [head, *(_on(day, line) for day in DAYS for line in lines)])
    for path in ("opencost/allocation.json", "opencost/assets.json", "spans/traces.jsonl"):
        for day in DAYS:
            place = (folder / path).with_name(f"{day}-{Path(path).name}")
            _write(place, [_on(day, (WORKED_DAY / path).read_text())])
    record = {
        "issuer": "Amazon Web Services", "account": None, "period": "2026-09-01",
        "closed_at": "2026-10-20T00:00:00+00:00", "status": "closed", "closed_by": "finops",
    }  # fmt: skip
    _write(folder / "closes" / "september.jsonl", [json.dumps(record)])
    file = folder / "attribution.yaml"
    text = (WORKED_DAY / "attribution.yaml").read_text()
    _write(file, [text.rstrip(), "  closes:", "    - {name: closes, uri: ./closes}"])
    rewrite(file, f"first_day: {DAY}", f"first_day: {DAYS[0]}")
    return file


def _on(day: date, text: str) -> str:
    """The worked day's evidence as another day's: instants, billing periods, and the names by which
    a call is known."""

    def moved(found: re.Match[str]) -> str:
        return (date.fromisoformat(found[0]) + (day - DAY)).isoformat()

    def months_back(found: re.Match[str]) -> str:
        return f"2026-{int(found[1]) - (DAY.month - day.month):02d}-01T"

    text = re.sub(r"2026-(\d\d)-01T", months_back, text)  # the worked day has no other first
    text = re.sub(r"2026-10-0[56]", moved, text)
    nanoseconds = (day - DAY).days * 86_400 * 10**9
    text = re.sub(
        r'(UnixNano": ")(\d+)', lambda found: f"{found[1]}{int(found[2]) + nanoseconds}", text
    )
    text = re.sub(r'("traceId": ")0000', rf"\g<1>{day:%m%d}", text)
    return re.sub(r'"(msg|cmpl)-', rf'"\1-{day:%m%d}-', text)


def publish_second(policies: Path) -> None:
    """Another driver for one pool, in force from ``CLOSED`` on."""
    first = (policies / "policy-1.yaml").read_text()
    second = policies / "policy-2.yaml"
    second.write_text(first)
    rewrite(second, "version: 1", "version: 2")
    rewrite(second, "effective_from: 2026-09-01", f"effective_from: {CLOSED}")
    rewrite(second, "driver: usage.query_units", "driver: even")


def _write(place: Path, lines: Sequence[str]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n".join(lines) + "\n")
