"""What people read of a day: its roll-ups, the spend views, its outcomes. One step.

Belongs here: these assets, and what is shown of them. Does not: roll-ups and views (``views``), how they
are taken from a deployment (``viewing``), the question that is asked of them (``checks.rollups``).

An outcome's day is that on which it was observed. Its operation may have run up to a week before, so the
run of a day joins the outcomes of those days anew that its operations may be of.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.assets.ledger import LEDGER, OPERATION_COSTS
from attribution_pipeline.orchestration.checks.answers import RecordedDay, result
from attribution_pipeline.orchestration.checks.on_ledger import partitioned_specs
from attribution_pipeline.orchestration.checks.rollups import QUESTIONS, RolledDay
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile
from attribution_pipeline.orchestration.viewing import OF_LEDGER, OF_OUTCOMES
from attribution_pipeline.views.daily.basis import LEDGER_TABLES
from attribution_pipeline.views.spend.register import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.orchestration.outcomes import OutcomesOfDays
    from attribution_pipeline.orchestration.viewing import Viewed

STEP = "viewed_day"
"""Of a run: all of these assets and their check."""

SPEND_DAILY = "spend_daily"
OUTCOMES = "outcomes"
OUTCOMES_DAILY = "outcomes_daily"

ROLLUPS: Mapping[str, str] = {
    SPEND_DAILY: "The day's ledger by everything that people group by, but charges, resources and "
    "consumers. Sums to the ledger. What dashboards and views read.",
    "resources_daily": "The day's ledger by resource and reason, without who. Sums to the ledger.",
    "calls_daily": "The day's operations: calls, retries, tokens, traces and the longest chain.",
    OUTCOMES_DAILY: "Outcomes that were observed on the day, and in outcome_costs_daily what the "
    "operations behind them cost.",
}

MOST_SHOWN = 10
"""Rows of a view on its page: the dearest. The event log keeps each for ever; `attribution spend` has
all."""


def views_assets(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Roll-ups, views and outcomes of a day, with the check that roll-ups sum to the ledger."""

    @dg.multi_asset(
        name=STEP,
        partitions_def=days,
        specs=list(_specs()),
        check_specs=partitioned_specs(SPEND_DAILY, QUESTIONS, days, blocking=QUESTIONS),
        can_subset=True,
    )
    def viewed_day(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Iterator[Any]:
        from attribution_pipeline.orchestration.viewing import business_of, spend_of

        day = date.fromisoformat(context.partition_key)
        wanted = {key.to_user_string() for key in context.selected_asset_keys}
        asked = {key.name for key in context.selected_asset_check_keys}
        with shown_as_failures():
            house = deployment.house()
            spent = spend_of(house, day, [name for name in OF_LEDGER if asset_of(name) in wanted])
        yield from _selected(wanted, {**_of_rollups(spent), **_of_views(spent)})
        with shown_as_failures():
            rolled = RolledDay(spent, RecordedDay(house, day))
            answers = {name: QUESTIONS[name](rolled) for name in QUESTIONS if name in asked}
        for name, answer in answers.items():
            yield result(answer, SPEND_DAILY, name, blocking=True)
        if not wanted & {OUTCOMES, OUTCOMES_DAILY, *map(asset_of, OF_OUTCOMES)}:
            return
        with shown_as_failures():
            views = [name for name in OF_OUTCOMES if asset_of(name) in wanted]
            came, found = business_of(house, day, views, outcomes=OUTCOMES in wanted)
        results = {**_of_rollups(came), **_of_views(came)}
        if found is not None:
            results[OUTCOMES] = (_of_outcomes(found), _digest(found.rows.to_pylist()))
        yield from _selected(wanted, results)

    return viewed_day


def asset_of(view: str) -> str:
    """The asset that shows a view: as the command line calls it, ``attribution spend product``."""
    return f"spend_{view}"


def _specs() -> Iterator[dg.AssetSpec]:
    published = [LEDGER, OPERATION_COSTS]
    yield _spec(
        OUTCOMES,
        ["landed_objects", *published],
        "Outcomes that were observed on the day, with the operations that they came of and what "
        "those cost; cost per useful outcome by kind. What no recorded operation answers to is "
        "counted. An outcome moves no money.",
        {"duckdb"},
    )
    for name, description in ROLLUPS.items():
        deps = ["landed_objects", *published] if name == OUTCOMES_DAILY else published
        yield _spec(name, deps, description, {"duckdb", "deltalake"})
    for name, view in VIEWS.items():
        deps = [table for table in view.reads if table in ROLLUPS]
        yield _spec(
            asset_of(name), deps, f"{view.question} `attribution spend {name}` has all rows, of any days.",
            {"duckdb"},
        )  # fmt: skip


def _spec(name: str, deps: Iterable[str], description: str, kinds: set[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=list(deps),
        group_name="views",
        kinds=kinds,
        code_version=CODE_VERSION,
        description=description,
        skippable=True,
    )


def _selected(
    wanted: set[str], results: Mapping[str, tuple[shown.Metadata, str]]
) -> Iterator[dg.MaterializeResult[Any]]:
    for name, (metadata, version) in results.items():
        if name in wanted:
            yield dg.MaterializeResult(
                asset_key=name, metadata=metadata, data_version=dg.DataVersion(version)
            )


def _of_rollups(viewed: "Viewed") -> dict[str, tuple[shown.Metadata, str]]:
    found: dict[str, tuple[shown.Metadata, str]] = {}
    for name, rows in viewed.rows.items():
        if name not in ROLLUPS:
            continue
        metadata: shown.Metadata = {
            "dagster/partition_row_count": rows,
            "made": "anew" if name in viewed.made else "stood already",
        }
        if name not in LEDGER_TABLES:
            metadata["outcome_costs_daily_rows"] = viewed.rows["outcome_costs_daily"]
            metadata["other_days_joined_anew"] = [day.isoformat() for day in viewed.remade]
        found[name] = (metadata, viewed.key)
    return found


def _of_views(viewed: "Viewed") -> dict[str, tuple[shown.Metadata, str]]:
    found: dict[str, tuple[shown.Metadata, str]] = {}
    for name, rows in viewed.views.items():
        records = rows.to_pylist()
        metadata = {
            "dagster/partition_row_count": rows.num_rows,
            "metric": viewed.metric,
            "dearest": shown.table(records[:MOST_SHOWN], _columns(rows, viewed.metric)),
        }
        found[asset_of(name)] = (metadata, _digest(records))
    return found


def _columns(rows: "pa.Table", metric: str) -> list[str]:
    """A page is narrow: of the tail the metric, what is nobody's, what may move, and under which rule."""
    tail = rows.column_names.index("billing_currency")
    return [
        *rows.column_names[:tail], metric, "billing_currency", "unallocated", "provisional",
        "policy_versions",
    ]  # fmt: skip


def _of_outcomes(found: "OutcomesOfDays") -> shown.Metadata:
    rows = found.summed.to_pylist()
    columns = ("kind", "outcomes", "useful", "unmatched", found.metric, "cost_per_useful",
               "billing_currency")  # fmt: skip
    return {
        "dagster/partition_row_count": found.rows.num_rows,
        "outcomes": found.found.outcomes,
        "matched": found.found.matched,
        "unmatched": found.found.unmatched,
        "repeated_records": found.found.repeated,
        "operations_with_an_outcome": found.found.operations,
        "metric": found.metric,
        "by_kind": shown.table(rows, columns),
    }


def _digest(rows: Iterable[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(sorted(row.items())).encode())
    return digest.hexdigest()
