"""Where engine and oracle differ on a world: charges, rows, quanta, request level, operations.

Belongs here: bringing both to one shape and naming every difference. Does not: who is right.

The oracle cannot know the ledger's ids, and they decide ties. It is given the ids of the rows that
the engine wrote; a row that the engine did not write sorts after those it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline_tests.attribution.engine_run import EngineDay, run
from attribution_pipeline_tests.oracle import Day, reconcile
from attribution_pipeline_tests.oracle.day import Ties
from attribution_pipeline_tests.oracle.operations import active_ms, ends_on
from attribution_pipeline_tests.oracle.words import ChargeKey, Identity, Operation, PodName, quanta
from attribution_pipeline_tests.worlds import World

LAST = "\U0010ffff"
WHAT = ("component", "leg", *WHO, "operation_name", "model", "token_kind", "unallocated_reason")
MILLISECOND = timedelta(milliseconds=1)

Entry = tuple[Hashable, ...]


def differences(world: World, folder: Path, **how: Any) -> list[str]:
    """One line for each thing in which engine and oracle differ; none where they agree."""
    return between(run(world, folder, **how), world)


def between(engine: EngineDay, world: World) -> list[str]:
    """What the engine made, against what the oracle makes of ``world``."""
    day = oracle_day(world)
    names, wrong = _charge_ids(day, engine)
    wrong += _repeated(engine)
    if wrong:
        return wrong
    keys = {(row["trace_id"], row["span_id"]): row["operation_key"] for row in engine.active}
    ids = {
        (row["charge_id"], *(row[column] for column in WHAT)): row["attribution_id"]
        for row in engine.ledger
    }
    key_of = {op.key: keys.get((op.trace_id, op.span_id), LAST) for op in day.operations}

    def row_id(one: Identity) -> str:
        what = (one.component, one.leg, *one.who, one.operation_name, one.model, one.token_kind)
        return ids.get((names.get(one.charge), *what, one.reason), LAST)

    day = oracle_day(world, Ties(row=row_id, operation=lambda key: key_of[key]))
    return [
        *_operations(world, engine, day),
        *_unlike("ledger", _engine_ledger(engine), _oracle_ledger(day, names)),
        *_unlike("request", _engine_requests(engine), _oracle_requests(day, names, key_of)),
    ]


def oracle_day(world: World, ties: Ties | None = None) -> Day:
    return reconcile(world.evidence, world.policy, world.day, world.first_day, ties)


def _unlike(what: str, engine: Counter[Entry], oracle: Counter[Entry]) -> list[str]:
    lines = [f"{what} engine only: {_short(entry)}" for entry in (engine - oracle).elements()]
    lines += [f"{what} oracle only: {_short(entry)}" for entry in (oracle - engine).elements()]
    return sorted(lines, key=lambda line: line.split(": ", 1)[1])


def _short(entry: Entry) -> str:
    return " ".join("-" if value is None else str(value) for value in entry)


def _charge_ids(day: Day, engine: EngineDay) -> tuple[dict[ChargeKey, str], list[str]]:
    """The engine's id of each charge, found by its lines; and where naming or amounts differ."""
    said: dict[Hashable, list[Any]] = {}
    for row in engine.charges:
        line = (row["source"], row["object_id"], row["position"], row["outside_range"])
        amounts = said.setdefault(line, [set(), 0, 0])
        amounts[0].add(row["charge_id"])
        amounts[1] += quanta(row["billed_cost"])
        amounts[2] += quanta(row["effective_cost"])
    names: dict[ChargeKey, str] = {}
    wrong = []
    lines_of: set[Hashable] = set()
    for piece in day.pieces:
        mine = set()
        for part in piece.lines:
            line = part.line
            where = (line["source"], line["object_id"], line["position"], piece.outside_range)
            if where not in said:
                wrong.append(f"charge: the engine has no line {where}")
                continue
            mine |= said[where][0]
            lines_of.add(where)
        if piece.outside_range:
            continue
        if len(mine) != 1 or names.setdefault(piece.charge, *mine) not in mine:
            wrong.append(f"charge: {piece.charge} is {sorted(mine)} of the engine")
    wrong += [
        f"charge: the oracle leaves line {where} out, the engine has {billed} / {effective}"
        for where, (_, billed, effective) in said.items()
        if where not in lines_of and (billed or effective)
    ]
    if len(set(names.values())) != len(names):
        wrong.append("charge: two charges under one id")
    return names, wrong


def _repeated(engine: EngineDay) -> list[str]:
    """Ids that name two rows, and rows that stand twice."""
    ids = Counter(row["attribution_id"] for row in engine.ledger)
    rows = Counter((row["charge_id"], *(row[column] for column in WHAT)) for row in engine.ledger)
    wrong = [f"row: {many} rows under one id {found}" for found, many in ids.items() if many > 1]
    wrong += [f"row: {many} times {_short(row)}" for row, many in rows.items() if many > 1]
    return wrong


def _no_money(billed: Any, effective: Any) -> bool:
    return not billed and not effective


def _engine_ledger(engine: EngineDay) -> Counter[Entry]:
    found: Counter[Entry] = Counter()
    for row in engine.ledger:
        amounts = (quanta(row["billed_cost"]), quanta(row["effective_cost"]))
        if _no_money(*amounts):
            continue
        outside = row["unallocated_reason"] == "outside_range"
        found[
            "*" if outside else row["charge_id"], str(row["billing_period"]), row["service"],
            row["provider"], row["billing_account_id"], row["sub_account_id"], row["resource_id"],
            row["region"], row["charge_category"], row["charge_class"], row["billing_currency"],
            *(row[column] for column in WHAT), row["basis"], row["confidence"], *amounts,
        ] += 1  # fmt: skip
    return _sum_outside(found)


def _oracle_ledger(day: Day, names: dict[ChargeKey, str]) -> Counter[Entry]:
    found: Counter[Entry] = Counter()
    for row in day.rows:
        if _no_money(row.billed, row.effective):
            continue
        one = row.identity
        charge = one.charge
        found[
            "*" if one.reason == "outside_range" else names[charge], str(charge.billing_period),
            charge.service, row.provider, charge.billing_account_id, charge.sub_account_id,
            charge.resource_id, charge.region, charge.category, charge.charge_class,
            charge.currency, one.component, one.leg, *one.who, one.operation_name, one.model,
            one.token_kind, one.reason, row.basis, row.confidence, row.billed, row.effective,
        ] += 1  # fmt: skip
    return _sum_outside(found)


def _sum_outside(found: Counter[Entry]) -> Counter[Entry]:
    """Whether a charge from before the first day keeps its own day in its id is not compared."""
    summed: Counter[Entry] = Counter()
    outside: dict[Entry, list[int]] = {}
    for entry, times in found.items():
        if entry[0] != "*":
            summed[entry] += times
            continue
        amounts = outside.setdefault(entry[:-2], [0, 0])
        amounts[0] += times * entry[-2]  # type: ignore[operator]
        amounts[1] += times * entry[-1]  # type: ignore[operator]
    for entry, (billed, effective) in outside.items():
        if billed or effective:
            summed[*entry, billed, effective] += 1
    return summed


def _engine_requests(engine: EngineDay) -> Counter[Entry]:
    what = {
        row["attribution_id"]: (row["component"], row["model"], row["token_kind"], row["leg"])
        for row in engine.ledger
    }
    return Counter(
        (row["charge_id"], *what[row["attribution_id"]], row["operation_key"],
         quanta(row["billed_cost"]), quanta(row["effective_cost"]))
        for row in engine.operation_costs
        if not _no_money(row["billed_cost"], row["effective_cost"])
    )  # fmt: skip


def _oracle_requests(
    day: Day, names: dict[ChargeKey, str], key_of: dict[tuple[str, ...], str]
) -> Counter[Entry]:
    return Counter(
        (names[row.identity.charge], row.identity.component, row.identity.model,
         row.identity.token_kind, row.identity.leg, key_of[key], *parts)
        for row in day.rows
        for key, parts in row.operations.items()
        if not _no_money(*parts)
    )  # fmt: skip


def _operations(world: World, engine: EngineDay, day: Day) -> list[str]:
    """Operations that end on the day, as the ledger publishes them."""
    there = Counter(
        (row["trace_id"], row["span_id"], row["active_ms"], _ms(row["ended_at"]), row["provider"],
         row["model"], row["operation_name"], row["metered"], row["caller_pod"],
         row["serving_pod"], row["merged"], row["identity_source"], row["verdict"],
         *(row[column] for column in WHO))
        for row in engine.operations
    )  # fmt: skip
    here = Counter(_published(op, world) for op in day.operations if ends_on(op, world.day))
    return _unlike("operation", there, here)


def _published(op: Operation, world: World) -> Entry:
    return (
        op.trace_id, op.span_id, active_ms(op, world.day), op.end_ns // 1_000_000, op.provider,
        op.model, op.operation_name, op.metered, _pod(op.caller), _pod(op.server), op.merged,
        op.source, op.verdict, *op.who,
    )  # fmt: skip


def _pod(name: PodName | None) -> str | None:
    return "/".join(part for part in name if part is not None) if name else None


def _ms(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND
