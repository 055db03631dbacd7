"""``reservations``: budgets beside the ledger, and the two checks that watch them.

Belongs here: the asset, what is shown of it, that its checks are answered with it. Does not: status
(``views.reservations``), the questions (``checks.reservations``), which days (``reserving``).

It is not partitioned: a budget is of a period, and its status of today. It reads the ledger and no
asset reads it.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.checks.answers import result
from attribution_pipeline.orchestration.checks.reservations import QUESTIONS
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.reserving import Reserved

RESERVATIONS = "reservations"

STEP = "reserved"
"""Of a run: the asset and its checks."""


def reservations_asset() -> dg.AssetsDefinition:
    """The status of every reservation, and its two checks, in one step."""

    @dg.multi_asset(
        name=STEP,
        specs=[
            dg.AssetSpec(
                RESERVATIONS,
                deps=["landed_objects", LEDGER],
                group_name="views",
                kinds={"duckdb"},
                code_version=CODE_VERSION,
                description=(
                    "Budgets beside the ledger: reserved, attributed to date, provisional, forecast "
                    "with its method, breach, drift of gateways' counters. A reservation guards spend "
                    "and attributes nothing: no row of the ledger knows of it."
                ),
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(
                name, asset=RESERVATIONS, description=" ".join((question.__doc__ or "").split())
            )
            for name, question in QUESTIONS.items()
        ],
    )
    def reserved(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Iterator[Any]:
        from attribution_pipeline.orchestration.reserving import reserved as reserved_of

        with shown_as_failures():
            found = reserved_of(deployment.house())
        yield dg.MaterializeResult(
            asset_key=RESERVATIONS,
            metadata=_metadata(found),
            data_version=dg.DataVersion(_version(found)),
        )
        for name, question in QUESTIONS.items():
            yield result(question(found), RESERVATIONS, name)

    return reserved


def _metadata(found: "Reserved") -> shown.Metadata:
    from attribution_pipeline.views import reservation_tables as tables

    rows = [tables.row(status, found.metric) for status in found.statuses]
    drift = tables.drift_rows(found.statuses)
    return {
        "reservations": len(rows),
        "long_over": found.long_over,
        "metric": found.metric,
        "through": str(found.through or "no day is recorded"),
        "status": shown.table(rows, tables.SHOWN),
        "in_words": shown.markdown_list(tables.sentence(status) for status in found.statuses),
        **({"drift": shown.table(drift, tables.DRIFT_COLUMNS)} if drift else {}),
    }


def _version(found: "Reserved") -> str:
    from attribution_pipeline.views import reservation_tables as tables

    said = [tables.row(status, found.metric) for status in found.statuses]
    said += tables.drift_rows(found.statuses)
    return hashlib.sha256(repr(said).encode()).hexdigest()
