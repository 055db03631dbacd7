"""Daily roll-ups say what the ledger says, in every view and to the last digit, or are computed anew."""

from __future__ import annotations

import contextlib
import shutil
from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

import pyarrow as pa
import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.lake import Lake
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.model.daily import KEYS, SCHEMAS
from attribution_pipeline.model.daily_columns import TABLES as MEANINGS
from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.views.daily import (
    LEDGER_TABLES,
    TABLES,
    Rollups,
    basis,
    daily_key,
    keep_day,
    making,
    open_daily,
    rollups_of,
    rows_of_day,
    writing,
)
from attribution_pipeline.views.daily.basis import recipe
from attribution_pipeline.views.daily.queries import query
from attribution_pipeline.views.outcomes import joined, open_outcomes, per_useful
from attribution_pipeline.views.spend import spend_view
from attribution_pipeline_tests.orchestration.deployments import DAY, with_value
from attribution_pipeline_tests.proof.replays import History
from attribution_pipeline_tests.reliability.faulty_store import FaultyStore
from attribution_pipeline_tests.views.from_the_ledger import VIEWS, open_ledger, view_of_ledger

METRICS = ("effective_cost", "billed_cost")


def keep(history: History) -> Lake:
    """The worked day's roll-ups, made for its newest state."""
    house = history.house()
    keep_day(house.lake, house.landed, DAY, Compute())
    return house.lake


def spent(lake: Lake, **how: Any) -> tuple[Decimal, tuple[date, ...]]:
    """What the day cost by its roll-up, and the days that had to be computed for it."""
    with session(Compute()) as db:
        opened = open_daily(db, lake, DAY, DAY, ("spend_daily",), **how)
        return db.one("select sum(billed_cost) from spend_daily"), opened.computed["spend_daily"]


def of_ledger(lake: Lake, **how: Any) -> Decimal:
    amounts = lake.read("ledger", DAY, DAY, ["billed_cost"], **how)["billed_cost"].to_pylist()
    return sum(amounts, Decimal(0))


def dearer(rows: pa.Table) -> pa.Table:
    """The ledger's first row a hundred dearer, as an engine with a defect would have it."""
    return with_value(rows, 0, "billed_cost", rows["billed_cost"][0].as_py() + 100)


# -- the same numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_every_view_of_a_company_is_the_one_from_the_ledger(company: House, metric: str) -> None:
    days = company.lake.days()
    with session(Compute()) as one, session(Compute()) as other:
        open_ledger(one, company.lake, days[0], days[-1])
        opened = open_daily(other, company.lake, days[0], days[-1])
        assert set(opened.computed.values()) == {()}, "all were made by the run that recorded them"
        for name in VIEWS:
            assert spend_view(other, name, metric).equals(view_of_ledger(one, name, metric)), name


@pytest.mark.parametrize("metric", METRICS)
def test_every_view_of_the_worked_day_is_the_one_from_the_ledger(
    recorded_history: History, metric: str
) -> None:
    lake = recorded_history.house().lake
    with session(Compute()) as one, session(Compute()) as other:
        open_ledger(one, lake, DAY, DAY)
        opened = open_daily(other, lake, DAY, DAY)
        assert set(opened.computed.values()) == {(DAY,)}, "nobody has made any"
        for name in VIEWS:
            assert spend_view(other, name, metric).equals(view_of_ledger(one, name, metric)), name


@pytest.mark.parametrize("table", ["spend_daily", "resources_daily"])
def test_a_rollup_has_the_ledgers_costs_at_its_own_grain(company: House, table: str) -> None:
    day = company.lake.days()[0]
    expected: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in company.lake.read("ledger", day, day).to_pylist():
        found = expected[tuple(row[key] for key in KEYS[table])]
        found[0] += row["billed_cost"]
        found[1] += row["effective_cost"]
    rows = rows_of_day(company.lake, table, day).to_pylist()
    assert {
        tuple(row[key] for key in KEYS[table]): [row["billed_cost"], row["effective_cost"]]
        for row in rows
    } == dict(expected)
    assert {row["manifest_id"] for row in rows} == {company.lake.states(day)[-1].manifest_id}


def test_calls_and_traces_add_up_whatever_they_are_filtered_by(company: House) -> None:
    day = company.lake.days()[0]
    operations = company.lake.read("operations", day, day).to_pylist()
    rows = rows_of_day(company.lake, "calls_daily", day).to_pylist()
    assert sum(row["calls"] for row in rows) == len(operations)
    assert sum(row["traces"] for row in rows) == len(
        {(row["workflow_id"], row["task"], row["agent"], row["trace_id"]) for row in operations}
    )
    output = sum(row["visible_output"] or 0 for row in operations)
    assert sum(row["visible_output"] or 0 for row in rows) == output > 0


def test_what_retries_cost_is_part_of_what_everything_costs(recorded_history: History) -> None:
    lake = recorded_history.house().lake
    operations = lake.read("operations", DAY, DAY).to_pylist()
    again = {row["operation_number"] for row in operations if (row["attempt"] or 1) > 1}
    costs = lake.read("operation_costs", DAY, DAY).to_pylist()
    expected = sum(row["billed_cost"] for row in costs if row["operation_number"] in again)
    rows = rows_of_day(lake, "spend_daily", DAY).to_pylist()
    assert sum(row["retry_billed_cost"] for row in rows) == expected
    assert sum(row["request_billed_cost"] for row in rows) == sum(
        row["billed_cost"] for row in costs
    )


def test_outcomes_of_a_day_are_those_that_are_joined_to_its_operations(company: House) -> None:
    day = company.lake.days()[0]
    with session(Compute()) as db:
        found = open_outcomes(db, company.lake, company.landed, day, day)
        by_kind = {row["kind"]: row for row in per_useful(db, "effective_cost").to_pylist()}
    outcomes = rows_of_day(company.lake, "outcomes_daily", day, landed=company.landed).to_pylist()
    costs = rows_of_day(company.lake, "outcome_costs_daily", day, landed=company.landed).to_pylist()
    assert sum(row["outcomes"] for row in outcomes) == found.outcomes > 0
    assert sum(row["outcomes"] for row in outcomes if not row["matched"]) == found.unmatched
    for kind, row in by_kind.items():
        assert row["useful"] == sum(
            one["outcomes"] for one in outcomes if one["kind"] == kind and one["useful"]
        )
        assert row["effective_cost"] == sum(
            one["effective_cost"] for one in costs if one["kind"] == kind
        )


def test_the_business_view_divides_cost_by_useful_outcomes(company: House) -> None:
    days = company.lake.days()
    with session(Compute()) as db:
        open_daily(db, company.lake, days[0], days[-1], TABLES, landed=company.landed)
        rows = spend_view(db, "business", "effective_cost").to_pylist()
    priced = [row for row in rows if row["cost_per_useful"] is not None]
    assert priced
    for row in priced:
        distance = row["cost_per_useful"] * row["useful"] - row["effective_cost"]
        assert abs(distance) <= Decimal("1e-12") * row["useful"]
        assert 0 <= row["not_useful_cost"] <= row["effective_cost"]
    rest = [row for row in rows if row["cost_per_useful"] is None]
    assert all(row["useful"] == 0 or row["effective_cost"] is None for row in rest)


def test_every_column_has_a_meaning() -> None:
    assert set(MEANINGS) == set(SCHEMAS) == set(TABLES)
    for table, (_, meanings) in MEANINGS.items():
        assert set(SCHEMAS[table].names) <= set(meanings), table


# -- never an old number ---------------------------------------------------------------------------


def test_a_rollup_that_lags_behind_its_day_is_computed_until_it_is_made_anew(
    history: History,
) -> None:
    lake = keep(history)
    before = spent(lake)
    assert before == (of_ledger(lake), ())
    history.record_otherwise({"ledger": dearer})
    moved = history.house().lake
    assert of_ledger(moved) == before[0] + 100
    assert spent(moved) == (of_ledger(moved), (DAY,))
    assert spent(keep(history)) == (of_ledger(moved), ())


def test_a_key_is_of_the_states_that_stand(history: History) -> None:
    before = daily_key(history.house().lake, DAY, DAY)
    assert daily_key(keep(history), DAY, DAY) == before, "the same rows, computed or stored"
    history.record_otherwise({"ledger": dearer})
    assert daily_key(history.house().lake, DAY, DAY) != before


def test_as_of_an_instant_the_rollup_of_then_is_read(history: History) -> None:
    lake = keep(history)
    then = lake.states(DAY)[-1].published_at
    history.record_otherwise({"ledger": dearer})
    lake = keep(history)
    assert spent(lake) == (of_ledger(lake), ())
    assert spent(lake, as_of=then) == (of_ledger(lake, as_of=then), ())
    assert of_ledger(lake) - of_ledger(lake, as_of=then) == 100


def test_what_stands_is_not_made_again(history: History) -> None:
    house = history.house()
    first = keep_day(house.lake, house.landed, DAY, Compute())
    assert set(first.made) == set(TABLES)
    again = keep_day(house.lake, house.landed, DAY, Compute())
    assert (again.made, again.outcomes_of) == ((), ())


@pytest.mark.parametrize(
    "what", ["spend_daily/charge_date=*/*.parquet", "spend_daily/_delta_log/*1.json"]
)
def test_a_damaged_rollup_is_computed_and_never_read(history: History, what: str) -> None:
    lake = keep(history)
    (path,) = lake.storage.glob(what)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    again = history.house().lake
    assert spent(again) == (of_ledger(again), (DAY,))
    if path.suffix == ".json":
        with pytest.raises(Refusal, match="remove the folders spend_daily and seals/spend_daily"):
            keep(history)
        for folder in ("spend_daily", "seals/spend_daily"):
            shutil.rmtree(lake.storage / folder)
    assert spent(keep(history)) == (of_ledger(again), ())


def test_a_rollup_that_does_not_sum_to_its_ledger_is_not_kept(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_a_row(table: str) -> str:
        return f"select * from ({query(table)}) offset 1"

    monkeypatch.setattr(making, "query", without_a_row)
    with pytest.raises(Broken, match="spend_daily of 2026-10-05 sums to"):
        keep(history)
    monkeypatch.undo()
    lake = history.house().lake
    assert spent(lake) == (of_ledger(lake), (DAY,))


def test_one_that_was_kept_with_a_wrong_sum_is_found_where_it_is_read(history: History) -> None:
    lake = keep(history)
    rows = rows_of_day(lake, "spend_daily", DAY)
    of_day = basis.of_ledger("spend_daily", lake.states(DAY)[-1])
    rollups_of(lake).keep("spend_daily", DAY, of_day, rows.slice(1), {})
    with pytest.raises(Broken, match="spend_daily of 2026-10-05"):
        spent(lake)


def test_who_comes_last_with_an_older_state_leaves_the_newer_ones_rollup(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delta's own readers see the table's newest commit: it is the newest state's."""
    late = history.house().lake
    made = making.rows_made

    def and_meanwhile(*said: Any) -> pa.Table:
        monkeypatch.undo()
        history.record_otherwise({"ledger": dearer})
        keep(history)
        return made(*said)

    monkeypatch.setattr(writing, "rows_made", and_meanwhile)
    writing.keep_ledger_tables(late, DAY, Compute())
    lake = history.house().lake
    newest = basis.of_ledger("spend_daily", lake.states(DAY)[-1])
    assert rollups_of(lake).stands("spend_daily", DAY, newest)
    assert spent(lake) == (of_ledger(lake), ())


@pytest.mark.parametrize("kind", ["error", "timeout_after"])
def test_whichever_call_to_the_storage_fails_the_rollup_is_whole_or_not_there(
    history: History, kind: str
) -> None:
    storage = history.house().lake.storage
    rows = rows_of_day(Lake(storage), "spend_daily", DAY)
    for nth in count(1):
        for folder in ("spend_daily", "seals/spend_daily"):
            shutil.rmtree(storage / folder, ignore_errors=True)
        store = FaultyStore(FolderStore(storage), kind, nth)
        with contextlib.suppress(OSError, Refusal):
            Rollups(Lake(storage, store=store)).keep("spend_daily", DAY, "basis", rows, {})
        found = Rollups(Lake(storage)).find("spend_daily", DAY, "basis")
        assert found is None or found.file.rows == rows.num_rows
        after = Rollups(Lake(storage))
        after.keep("spend_daily", DAY, "basis", rows, {})
        assert after.stands("spend_daily", DAY, "basis")
        if not store.hit:
            break
    assert nth > len(LEDGER_TABLES), "some calls did fail"


# -- outcomes hang on more than their own day --------------------------------------------------------


def test_a_days_outcomes_are_joined_anew_when_the_next_day_is_recorded(company: House) -> None:
    """Its operations may have ended then."""
    first, second = company.lake.days()
    tables = ("outcomes_daily", "outcome_costs_daily")
    with session(Compute()) as db:
        opened = open_daily(db, company.lake, first, second, tables, landed=company.landed)
    assert set(opened.computed.values()) == {()}, "the run of the second day has done it"
    as_of = company.lake.states(first)[-1].published_at
    with session(Compute()) as db:
        alone = open_daily(
            db, company.lake, first, first, tables,
            landed=company.landed.by(as_of), as_of=as_of,
        )  # fmt: skip
    assert set(alone.computed.values()) == {()}, "nor is the one from before lost"
    assert alone.key != daily_key(company.lake, first, first, tables, landed=company.landed)


def test_outcome_tables_need_what_was_landed(company: House) -> None:
    with pytest.raises(ValueError, match="give `landed`"):
        daily_key(company.lake, DAY, DAY, ("outcomes_daily",))


@pytest.mark.parametrize("moved", ["keys", "schema", "join"])
def test_a_recipe_is_of_keys_schema_and_join_not_of_the_template_alone(
    monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    table = "outcome_costs_daily"
    before, spend = recipes(table), recipes("spend_daily")
    if moved == "keys":
        monkeypatch.setitem(KEYS, table, KEYS[table][1:])  # type: ignore[arg-type]
    elif moved == "schema":
        longer = SCHEMAS[table].append(pa.field("more", pa.string()))
        monkeypatch.setitem(SCHEMAS, table, longer)  # type: ignore[arg-type]
    else:
        monkeypatch.setattr(joined, "JOIN_VERSION", joined.JOIN_VERSION + 1)
    assert recipes(table) != before
    assert recipes("spend_daily") == spend


def recipes(table: str) -> str:
    """Of a table as the code is now, not as it was when it was first asked."""
    recipe.cache_clear()
    query.cache_clear()
    found = recipe(table)
    recipe.cache_clear()
    query.cache_clear()
    return found
