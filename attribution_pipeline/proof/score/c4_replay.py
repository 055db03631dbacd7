"""C4: the days come out again from frozen inputs, within the declared tolerance.

Belongs here: a replay's verdict told by slice, with method and kernel. Does not: replaying
(``proof.replay``).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from attribution_pipeline.proof.ratio import NO_EVIDENCE, plain
from attribution_pipeline.proof.relations import RecordedDay
from attribution_pipeline.proof.replay import DayReplay, replay_day
from attribution_pipeline.proof.routes import Route
from attribution_pipeline.proof.score.asked import Asked, of_route, read
from attribution_pipeline.proof.score.verdict import Rows, Verdict

QUESTION, TITLE = "C4", "replayability"

NOT_REPRODUCED = "not_reproduced"

ROW_COLUMNS = ("charge_date", "row_count", "differing", "billed_cost", "effective_cost", "methods",
               "kernels", "verdict")  # fmt: skip


@dataclass
class _Found:
    """One slice over the days: rows of ``variance.sql``, a day each."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def largest(self) -> Decimal:
        return max((Decimal(row["largest"]) for row in self.rows), default=Decimal(0))

    def named(self, column: str) -> str:
        names = {name for row in self.rows for name in (row[column] or "").split(", ") if name}
        return ", ".join(sorted(names))


def judge(asked: Asked) -> list[Verdict]:
    """One verdict a route slice."""
    rows: list[dict[str, Any]] = []
    bad: list[DayReplay] = []
    for recorded in asked.days:
        replay, variance = _replayed(asked, recorded)
        rows += variance
        if not replay.reproduced:
            bad.append(replay)
    return [_verdict(asked, route, _Found(of_route(rows, route)), bad) for route in asked.routes]


def _replayed(asked: Asked, recorded: RecordedDay) -> tuple[DayReplay, list[dict[str, Any]]]:
    folder = asked.scratch / f"replayed-{recorded.day}"
    folder.mkdir(parents=True)
    replay = replay_day(asked.lake, recorded.state, asked.compute_in, folder)
    ledger = list(replay.replayed.get("ledger", ()))
    found: list[Mapping[str, Any]] = []
    if ledger:
        with asked.session([recorded], "ledger") as db:
            db.view("replayed", ledger)
            found = db.table(read("variance")).to_pylist()
    shutil.rmtree(folder)
    said = {"charge_date": recorded.day, "verdict": replay.line()}
    return replay, [{**row, **said} for row in found]


def _verdict(asked: Asked, route: Route, found: _Found, bad: list[DayReplay]) -> Verdict:
    tolerance = asked.policy.tolerance.replay_variance
    passed = bool(found.rows) and not bad and found.largest <= tolerance
    counted = sum(row["row_count"] for row in found.rows)
    if bad:
        reason, detail = NOT_REPRODUCED, f"{bad[0].line()}. attribution replay lists the rows."
    elif not found.rows:
        reason, detail = NO_EVIDENCE, f"{NO_EVIDENCE}: no row of the slice was replayed"
    else:
        reason = "" if passed else NOT_REPRODUCED
        detail = (
            f"{counted:,} rows of {len(found.rows)} days came out again, method "
            f"{found.named('methods')}, kernel {found.named('kernels')}"
        )
    return Verdict(
        QUESTION, TITLE, route, passed,
        number=plain(found.largest) if found.rows else NO_EVIDENCE,
        threshold=f"tolerance.replay_variance {plain(tolerance)} {route.currency}, each row and cost",
        detail=detail,
        query=f"-- attribution replay --from {asked.days[0].day} --to {asked.days[-1].day}\n"
        f"-- replayed: the day's ledger as the replay computes it\n{read('variance')}",
        rows=Rows.of({name: row.get(name) for name in ROW_COLUMNS} for row in found.rows),
        reason=reason,
    )  # fmt: skip
