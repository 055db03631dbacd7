"""A day with a history: the worked day, recorded again after each thing that can come late.

Belongs here: making its states, and what tests do to them. Does not: what a replay says.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.attribution.publish import content_digest
from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import CommitReceipt
from attribution_pipeline.lake.states import Published
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY, Change, rewrite

FIRST_RUN = datetime(2026, 10, 6, 4, tzinfo=UTC)

ISSUERS = ("Amazon Web Services",)


@dataclass
class History:
    """The worked day's deployment and a clock that its states are a day apart by."""

    folder: Path
    now: datetime = FIRST_RUN
    receipts: list[CommitReceipt] = field(default_factory=list)

    def house(self) -> House:
        """Opened anew, as the next run would."""
        return House(load_deployment(self.folder / "attribution.yaml"), clock=lambda: self.now)

    def record(self, **how: Any) -> Published:
        """Land what is new and record the day; a day later by the clock than the state before."""
        from attribution_pipeline.sources.landing import land

        house = self.house()
        land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
        receipt = record_day(house, DAY, run_id=f"run-{len(self.receipts) + 1}", **how)
        assert not receipt.unchanged, "nothing changed, so there is no new state"
        self.receipts.append(receipt)
        self.now += timedelta(days=1)
        return self.state()

    def state(self, number: int | None = None) -> Published:
        """The newest state of the day, or one by its number."""
        states = self.house().lake.states(DAY)
        return states[-1] if number is None else states[number - 1]

    # -- what nobody should do -----------------------------------------------------------------

    def record_otherwise(
        self,
        tables: Mapping[str, Change] | None = None,
        *,
        inputs: Mapping[str, Mapping[str, Change]] | None = None,
        said: Mapping[str, Any] | None = None,
    ) -> Published:
        """Commit the newest state again with other rows or inputs, every digest consistent, as an
        engine with a defect would. ``said``: what its manifest says instead."""
        house = self.house()
        stands = house.lake.manifest(DAY)
        changed = tables or {}
        with house.lake.staging(DAY) as folder:
            files = {
                table: _changed(house, entries, changed[table], folder / table)
                if table in changed
                else [house.lake.stored(entry) for entry in entries]
                for table, entries in stands["files"].items()
            }
            for plane, plane_tables in (inputs or {}).items():
                for table, change in plane_tables.items():
                    entries = stands["inputs"][plane]["files"][table]
                    paths = _changed(house, entries, change, folder / f"{plane}-{table}")
                    kept = house.lake.evidence.keep(
                        plane, DAY, basis="defect", digest="defect",
                        files={table: paths}, rows=stands["inputs"][plane]["rows"],
                    )  # fmt: skip
                    stands["inputs"][plane] = kept.as_input()
            output = {**stands["output"], "content_digest": self._digest(house, files)}
            house.lake.commit_day(
                DAY,
                files,
                {
                    **stands,
                    "recorded_at": self.now.isoformat(),
                    "run_id": "defect",
                    "output": output,
                    "previous": self.state().manifest_id,
                    **(said or {}),
                },
            )
        self.now += timedelta(days=1)
        return self.state()

    def _digest(self, house: House, files: Mapping[str, Sequence[Any]]) -> str:
        """Of the ledger that is committed, so that the manifest agrees with its rows."""
        (ledger,) = files["ledger"]
        path = ledger if isinstance(ledger, Path) else house.lake.verified(ledger)
        with session(Compute(threads=1)) as db:
            db.view("ledger", [str(path)])
            return content_digest(db, "ledger")

    def damage(self, entry: Mapping[str, Any]) -> Path:
        """Flip a bit in the middle of a recorded file."""
        path = self.house().lake.storage / entry["path"]
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        return path

    # -- what comes late -----------------------------------------------------------------------

    def late_spans(self, name: str = "late") -> None:
        """One more call of a tenant, in an object of its own."""
        spans = self.folder / "spans" / "traces.jsonl"
        number = f"{int.from_bytes(name.encode()) % 2**64:016x}"
        late = spans.read_text(encoding="utf-8").splitlines()[0].replace("msg-1", f"msg-{name}")
        late = late.replace('"00000000000000000000000000000001"', f'"{number * 2}"')
        late = late.replace('"000000000000001c"', f'"{number}"')
        (spans.parent / f"{name}.jsonl").write_text(late + "\n", encoding="utf-8")

    def restated_bill(self) -> None:
        """The vendor says another amount for a meter."""
        rewrite(self.folder / "billing" / "focus.csv", ",7.00,111122223333", ",7.77,111122223333")

    def closed(self) -> None:
        """Every issuer's October is closed, and provisional time is over."""
        deployment = self.folder / "attribution.yaml"
        with deployment.open("a", encoding="utf-8") as file:
            file.write("  closes:\n    - {name: closes, uri: ./closes}\n")
        folder = self.folder / "closes"
        folder.mkdir()
        records = [
            {"issuer": issuer, "account": None, "period": "2026-10", "status": "closed",
             "closed_at": "2026-11-02T00:00:00Z"}
            for issuer in ISSUERS
        ]  # fmt: skip
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "october.jsonl").write_text(text, encoding="utf-8")
        self.now = datetime(2026, 11, 3, tzinfo=UTC)

    def billed(self, like: int, **cells: str) -> None:
        """One more line of the bill: line ``like`` (from 0) with other cells."""
        bill = self.folder / "billing" / "focus.csv"
        with bill.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            lines, names = list(reader), list(reader.fieldnames or ())
        with bill.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows([*lines, {**lines[like], **cells}])

    def published(self, version: int, old: str, new: str, *, of: int = 1) -> None:
        """A policy version that says something else than version ``of``, from the same day on."""
        policies = self.folder / "policies"
        copy = policies / f"policy-{version}.yaml"
        shutil.copy(policies / f"policy-{of}.yaml", copy)
        rewrite(copy, f"version: {of}\n", f"version: {version}\n")
        rewrite(copy, old, new)


def _changed(
    house: House, entries: Sequence[Mapping[str, Any]], change: Callable[..., Any], stem: Path
) -> list[Path]:
    """The rows of recorded files, changed; a change that gives several tables gives several files."""
    files = [house.lake.verified(house.lake.stored(entry)) for entry in entries]
    rows = change(
        pa.concat_tables((pq.ParquetFile(file).read() for file in files), promote_options="default")
    )
    paths = []
    for n, part in enumerate(rows if isinstance(rows, list) else [rows]):
        paths.append(stem.with_name(f"{stem.name}-{n}.parquet"))
        pq.write_table(part, paths[-1])
    return paths


def worked_day(folder: Path) -> History:
    """The worked day, nothing landed."""
    return History(shutil.copytree(WORKED_DAY, folder / "worked_day"))


def four_states(folder: Path) -> History:
    """States 1 to 4: on time; late spans; a restated bill; another policy."""
    history = worked_day(folder)
    history.record()
    history.late_spans()
    history.record()
    history.restated_bill()
    history.record()
    history.published(2, "driver: usage.query_units", "driver: even")
    history.record()
    return history


def held_states(folder: Path) -> History:
    """States 1 to 4 under a policy that holds closed periods: on time; closed; late spans; a restated
    bill."""
    history = worked_day(folder)
    rewrite(
        history.folder / "policies" / "policy-1.yaml",
        "closed_period: restate",
        "closed_period: hold",
    )
    history.record()
    history.closed()
    history.record()
    history.late_spans()
    history.record()
    history.restated_bill()
    history.record()
    return history
