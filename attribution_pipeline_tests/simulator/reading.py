"""The company's files read back by the shortest way: no reader of the product, no engine.

Belongs here: parsing for tests. Does not: any statement.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.dataset as ds
import pyarrow.parquet as pq

MONTHLY = "Recurring"


class Span(NamedTuple):
    """One span as delivered."""

    object: Path
    resource: dict[str, str]
    scope: str
    span: dict[str, Any]
    attributes: dict[str, str]

    @property
    def id(self) -> tuple[str, str]:
        return self.span["traceId"], self.span["spanId"]

    @property
    def end_ms(self) -> int:
        return int(self.span["endTimeUnixNano"]) // 1_000_000

    @property
    def pod(self) -> str:
        return self.resource["k8s.pod.name"]


def digest(directory: Path) -> dict[str, str]:
    """sha256 of every file by path."""
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def spans(directory: Path) -> Iterator[Span]:
    for path in sorted((directory / "spans").rglob("*traces*")):
        raw = path.read_bytes()
        document = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        for resource in document["resourceSpans"]:
            about = _attributes(resource["resource"])
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    yield Span(path, about, scope["scope"]["name"], span, _attributes(span))


def _attributes(holder: dict[str, Any]) -> dict[str, str]:
    return {entry["key"]: next(iter(entry["value"].values())) for entry in holder["attributes"]}


def bill(directory: Path) -> Iterator[dict[str, Any]]:
    """Rows of every delivery that stands: text, but None for null; money and quantities exact."""
    for path in sorted((directory / "bill-aws").rglob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            yield {
                name: Decimal(repr(value)) if isinstance(value, float)
                else f"{value:%Y-%m-%dT%H:%M:%SZ}" if hasattr(value, "isoformat")
                else value
                for name, value in row.items()
            }  # fmt: skip
    newest: dict[str, tuple[str, Path]] = {}
    for path in (directory / "bill-azure").rglob("manifest.json"):
        run = json.loads(path.read_text())["runInfo"]
        period = run["startDate"]
        newest[period] = max(newest.get(period, ("", path)), (run["submittedTime"], path))
    files = [path.with_name("part_0_0001.csv.gz") for _, path in sorted(newest.values())]
    files += sorted((directory / "bill-openai").glob("*.csv"))
    files += sorted((directory / "bill-anthropic").glob("*.csv"))
    files += sorted((directory / "bill-saas").glob("*.csv"))
    for path in files:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        for row in csv.DictReader(text.splitlines()):
            yield {
                name: Decimal(value) if value and name.endswith(("Cost", "Quantity")) else value or None
                for name, value in row.items()
            }  # fmt: skip


def truth(directory: Path, name: str = "costs") -> list[dict[str, Any]]:
    table = ds.dataset(str(directory / "truth" / name), format="parquet").to_table()
    return table.to_pylist()


def snapshot(directory: Path, kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(file, row) of every OpenCost answer of a kind, numbers as Decimal."""
    for path in sorted((directory / "opencost").rglob(f"{kind}-*.json")):
        data = json.loads(path.read_text(), parse_float=Decimal)["data"]
        for rows in data if isinstance(data, list) else [data]:
            for row in rows.values():
                yield path, row
