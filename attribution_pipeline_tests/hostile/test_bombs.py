"""Every bomb is refused by every reader, for little memory: what a small file may cost is bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.hostile.bombs import BOMBS
from attribution_pipeline_tests.sources import opencost_answers
from attribution_pipeline_tests.sources.focus_bills import csv_bytes, parquet_rows, row

MOST_KILOBYTES = 64 * 1024
HANGS_AFTER_S = 240
"""No measure of speed: a reader that is still busy then does not end."""

GOOD = {
    "billing": [csv_bytes(row()), parquet_rows(row())],
    "spans": [b'{"resourceSpans":[]}\n'],
    "opencost": [opencost_answers.allocation(opencost_answers.container()).encode()],
    "usage": [
        b"date,service,resource_id,metric,quantity\n2026-10-05,S,r,m,1\n",
        parquet_rows(
            {
                "date": "2026-10-05",
                "service": "S",
                "resource_id": "r",
                "metric": "m",
                "quantity": "1",
            }
        ),
    ],
    "vendor": [b'{"data":[],"has_more":false,"next_page":null}'],
}
"""Objects that are none, by kind: read first, so that imports count for nobody."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What became of every bomb under every reader, in one process."""
    folder = tmp_path_factory.mktemp("bombs")
    named = []
    for kind, objects in GOOD.items():
        for number, content in enumerate(objects):
            (folder / f"good-{kind}-{number}").write_bytes(content)
            named.append(f"{kind}={folder}/good-{kind}-{number}")
    for name, make in BOMBS.items():
        (folder / name).write_bytes(make())
    named += [f"{kind}={folder}/{name}" for kind in GOOD for name in BOMBS]
    done = subprocess.run(
        [sys.executable, "-m", "attribution_pipeline_tests.hostile.measured", *named],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=HANGS_AFTER_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(named)
    return found


def _of(outcomes: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in outcomes if (one["kind"], one["file"]) == (kind, name)]
    return found


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("kind", GOOD)
def test_bomb_is_refused_for_less_than_64_mib(
    outcomes: list[dict[str, Any]], kind: str, name: str
) -> None:
    found = _of(outcomes, kind, name)
    assert found["rows"] == 0
    assert found["reason"] or found["rejected"], "nothing is dropped without a word"
    assert found["kilobytes"] < MOST_KILOBYTES, found


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        *((kind, name, "decompression_limit") for kind in GOOD
          for name in ("gzip", "gzip members", "zstd", "zstd window")),
        *((kind, "nested", "nested_compression") for kind in GOOD),
        *((kind, name, "object_too_large") for kind in ("billing", "spans", "usage")
          for name in ("parquet runs", "parquet page", "parquet columns")),
        ("usage", "parquet dictionary", "object_too_large"),
    ],
)  # fmt: skip
def test_bomb_is_refused_for_what_it_is(
    outcomes: list[dict[str, Any]], kind: str, name: str, reason: str
) -> None:
    assert _of(outcomes, kind, name)["reason"] == reason


def test_what_is_no_bomb_is_read(outcomes: list[dict[str, Any]]) -> None:
    """Else the rest would show that nothing is read at all."""
    read = {one["kind"] for one in outcomes if one["file"].startswith("good") and one["rows"]}
    assert read == {"billing", "opencost", "usage"}
