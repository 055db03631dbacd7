"""Phase 1 after late spans: under the bill, their own rows and the open row, and no other.

Belongs here: whether a slice may be added to, the rows that are. Does not: the division
(``meters``, with its passes).

A part is amount x tokens / max(Q, E). While E stays at or under Q the denominator stands, and with
it the part of every other operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.attribution import meters
from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.kernel import attribution_id, decimal, quanta, what_key
from attribution_pipeline.attribution.late_change import TooMuch
from attribution_pipeline.attribution.late_pods import METERED, stage_carried
from attribution_pipeline.attribution.matching import Assignment
from attribution_pipeline.attribution.meters import Slice
from attribution_pipeline.model.tokens import BUCKETS

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy


COLUMNS = ", ".join(("provider", "model", "account", "region", "ends_today", "metered", *BUCKETS))
"""What an operation's slices hang on."""


def divide_late_meters(
    db: Session, policy: Policy, day: date, assignments: Sequence[Assignment]
) -> list[Slice]:
    """Rows of every metered charge, most of them carried; the slices, for coverage. TooMuch where
    a slice was not what it is, or its denominator moved."""
    import pyarrow as pa

    slices = _form_slices(db, policy, assignments)
    meters.weigh(db, slices)
    meters.count_billed_tokens(db, policy, assignments, slices)
    has_gone = bool(db.one("select count(*) from gone_ops"))
    come, gone = _weigh_changes(db, slices, has_gone)
    restated = _refuse_crossing(policy, slices, come, gone)
    db.load("restated_slices", pa.table({"slice_id": pa.array(restated, pa.int64())}))
    meters.load_slices(db, policy, slices)
    meters.take_parts(db, policy, "come_weights", "come_parts")
    if has_gone:
        meters.take_parts(db, policy, "gone_weights", "gone_parts")
    else:
        db.execute("create table gone_parts as select * from come_parts where false")
    _change_rows(db, policy, day, has_gone=has_gone, has_restated=bool(restated))
    db.run("phases/meter_rows", int=db.integer)
    db.run("phases/meter_requests", parts="come_parts")
    meters.leave_open(db, policy)
    stage_carried(db, METERED)
    return slices


def load_gone_costs(db: Session) -> None:
    """``gone_costs``: request rows that the recorded state has of operations that changed."""
    if not db.one("select count(*) from gone_parts"):
        columns = "attribution_id, charge_id, operation_number, operation_key, weight"
        db.execute(
            f"create table gone_costs as select {columns}, billed_cost, effective_cost "
            "from operation_costs where false"
        )
        return
    db.run(
        "late/gone_costs", int=db.integer, billed=decimal("billed"), effective=decimal("effective")
    )


def _form_slices(db: Session, policy: Policy, assignments: Sequence[Assignment]) -> list[Slice]:
    """``meter_portions``, ``routes``; ``routes_before``: those of the recorded state. TooMuch where its slices
    were others."""
    billed = meters.billed_routes(db, assignments)
    seen = meters.routes_seen(
        db, billed, side="side",
        ops=f"(select {COLUMNS}, case when operation_key in (select operation_key from priced_come) "
        f"then 'come' else 'same' end as side from ops "
        f"union all select {COLUMNS}, 'gone' as side from priced_gone) o",
    )  # fmt: skip
    now, before = (
        {
            key: seen.get("same", {}).get(key, set()) | seen.get(side, {}).get(key, set())
            for key in billed
        }
        for side in ("come", "gone")
    )
    slices = meters.load_routes(db, policy, billed, now, portions="meter_portions", routes="routes")
    if now == before:
        db.execute("create view routes_before as select * from routes")
        return slices
    then = meters.load_routes(
        db, policy, billed, before, portions="portions_before", routes="routes_before"
    )
    # equal keys choose the same operations: a key of null joins all values, any other one chooses its own
    if [found.key for found in then] != [found.key for found in slices] or db.one(
        "select count(*) from (select * from portions_before except select * from meter_portions)"
    ):
        raise TooMuch("late operations went another way, and join or part slices")
    return slices


def _weigh_changes(
    db: Session, slices: Sequence[Slice], has_gone: bool
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """``come_weights``, ``gone_weights``; their tokens by slice."""
    db.execute(
        "create table come_weights as select w.* from meter_weights w join ops o on o.op_id = w.op_id "
        "where o.operation_key in (select operation_key from priced_come)"
    )
    meters.load_weights(
        db, slices if has_gone else (), ops="gone_ops", routes="routes_before",
        weights="gone_weights",
    )  # fmt: skip
    come, largest = _tokens(db, "come_weights")
    for number, found in enumerate(slices):
        # a class is no operation; those in it were weighed when they were recorded
        found.largest = largest.get(number, 0)
    return come, _tokens(db, "gone_weights")[0] if has_gone else {}


def _tokens(db: Session, weights: str) -> tuple[dict[int, int], dict[int, int]]:
    """Tokens by slice: all of them, and the most that one operation has."""
    found = db.rows(
        f"select slice_id, cast(sum(weight) as hugeint), max(weight) from {weights} group by 1"
    )
    return {row[0]: int(row[1]) for row in found}, {row[0]: int(row[2]) for row in found}


def _refuse_crossing(
    policy: Policy, slices: Sequence[Slice], come: Mapping[int, int], gone: Mapping[int, int]
) -> list[int]:
    """Slices whose coverage crossed the policy's tolerance. TooMuch where one is divided by another
    total than before."""
    restated = []
    for number, now in enumerate(slices):
        moved = come.get(number, 0) - gone.get(number, 0)
        was = replace(now, seen=now.seen - moved)
        if (
            was.denominator != now.denominator
            or was.priced_over != now.priced_over
            or (was.seen > 0 and now.seen == 0)
        ):
            raise TooMuch(f"slice {now.key} is divided by another total")
        if was.is_within(policy) != now.is_within(policy):
            restated.append(number)
    return restated


def _change_rows(
    db: Session, policy: Policy, day: date, *, has_gone: bool, has_restated: bool
) -> None:
    """``meter_changes``, ``meter_parts``, ``meter_rests``; untouched rows into ``carried``."""
    db.run("late/meter_charges")
    db.execute(
        f"create table metered_rows as select *, {quanta('billed_cost')} as billed, "
        f"{quanta('effective_cost')} as effective from recorded "
        "where component = 'direct' and leg = 'own' and basis = 'operations'"
    )
    _refuse_ambiguous(db, policy)
    db.run(
        "late/meter_changes",
        int=db.integer,
        batch=METERED,
        has_gone=str(has_gone).lower(),
        has_restated=str(has_restated).lower(),
        attribution_id=attribution_id(
            day.isoformat(), "charge_id", "'direct'", "'own'", "who_key",
            what_key("operation_name", "model", "token_kind"),
            "reason",
        ),
    )  # fmt: skip
    unsupported = db.one(
        "select count(*) from meter_changes c left join metered_rows r "
        "on r.attribution_id = c.attribution_id "
        "where c.attribution_id not in (select attribution_id from meter_parts) "
        "and (c.billed + coalesce(r.billed, 0) <> 0 or c.effective + coalesce(r.effective, 0) <> 0)"
    )
    if unsupported:
        raise TooMuch("recorded rows do not hold what their operations had")
    # tag sets of one charge may cancel each other out; which of its rows then stand only parts say
    if db.one(
        "select count(*) from (select p.attribution_id from meter_parts p join meter_changes c "
        "on c.attribution_id = p.attribution_id where c.portions > 1 group by p.attribution_id "
        "having sum(p.billed) = 0 and sum(p.effective) = 0)"
    ):
        raise TooMuch("tag sets of one charge cancel each other out")


def _refuse_ambiguous(db: Session, policy: Policy) -> None:
    """TooMuch where a recorded row could be of two slices, or its columns of two portions."""
    if db.one("select count(*) from meter_charges where shapes > 1") or db.one(
        "select count(*) from (select charge_id from meter_charges "
        "group by charge_id, model, token_kind having count(*) > 1)"
    ):
        raise TooMuch("a metered charge has rows of two kinds")
    if policy.evidence_gap == "spread" and db.one(
        "select count(*) from meter_charges where portions > 1"
    ):
        raise TooMuch("gaps of a charge with several tag sets are spread one by one")
    if db.one(
        "select count(*) from metered_rows r left join meter_charges m on m.charge_id = r.charge_id "
        "and m.model = r.model and m.token_kind = r.token_kind "
        "where m.charge_id is null and (r.billed <> 0 or r.effective <> 0)"
    ):
        raise TooMuch("a recorded row belongs to no metered charge")
