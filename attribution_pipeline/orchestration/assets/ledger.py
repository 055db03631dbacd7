"""``attribution_ledger`` and ``operation_costs``: one computation, one commit.

Belongs here: the asset that records a day, and what is shown of it. Does not: the day's steps
(``recording``) or formulas (``attribution``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import hashlib
import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.day_changes import held, kept_version, revised
from attribution_pipeline.orchestration.ledger_figures import (
    COVERAGE_COLUMNS,
    UNALLOCATED_COLUMNS,
    tie_out_lines,
    top_tenants,
    unallocated_by_reason,
    unallocated_share,
)
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.lake import CommitReceipt
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House

LEDGER = "attribution_ledger"
OPERATION_COSTS = "operation_costs"

FORCE = "attribution/force"
"""Run tag: `true` lets a new policy version reach back over closed periods."""

NOTE_WIDTH = 60
"""Characters of a line: tables make the page wider than what is seen of it."""

TRIES_AFTER_A_RACE = 3
"""Times a day is computed anew when another run recorded it meanwhile; each sees that state."""


def ledger_assets(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The day's ledger and its request-level costs."""
    deps = [*ASSET_OF_PLANE.values(), "policy_versions"]
    common: dict[str, Any] = {
        "deps": deps,
        "group_name": "ledger",
        "kinds": {"duckdb", "deltalake"},
        "code_version": CODE_VERSION,
    }

    @dg.multi_asset(
        name="reconciled_day",
        partitions_def=days,
        specs=[
            dg.AssetSpec(
                OPERATION_COSTS,
                description=(
                    "Request level: one row per operation and charge that it took part in. Rows "
                    "of the ledger with basis `operations` are the sums of these."
                ),
                **common,
            ),
            dg.AssetSpec(
                LEDGER,
                description=(
                    "The ledger: every charge of the day, divided over who caused it, under the "
                    "policy in force. Every charge, invoice and day adds up to the bill exactly."
                ),
                **common,
            ),
        ],
    )
    def reconciled_day(
        context: dg.AssetExecutionContext, deployment: DeploymentFile
    ) -> Iterator[Any]:
        from attribution_pipeline.lake import DayMoved
        from attribution_pipeline.orchestration.recording import record_day
        from attribution_pipeline.orchestration.refused_bills import require_readable_bill

        day = date.fromisoformat(context.partition_key)
        with shown_as_failures():
            house = deployment.house()
            require_readable_bill(house, day)
            try:
                force = is_forced(context.run.tags)
                receipt = record_day(house, day, force=force, run_id=context.run.run_id)
            except DayMoved as moved:
                context.log.warning(str(moved))
                raise dg.RetryRequested(max_retries=TRIES_AFTER_A_RACE) from moved
            states = house.lake.states(day)
            state = next(made for made in states if made.manifest_id == receipt.manifest_id)
            manifest = house.lake.document(state)
            notes = _notes(house, state)
            for note in notes:
                context.log.warning(note)
            changed = "nothing in this run" if receipt.unchanged else revised(house, state)
            yield _operation_costs(manifest)
            yield _ledger(house, receipt, manifest, changed or "no row", notes)

    return reconciled_day


def is_forced(tags: Mapping[str, str]) -> bool:
    """Whether a run's tags force a policy version. Raises Refusal for a value that is neither
    `true` nor `false`: quotes around it must not turn force off unseen."""
    said = tags.get(FORCE, "false")
    if said not in ("true", "false"):
        raise Refusal(f"{said!r} is no answer", where=f"run tag {FORCE}", remedy="write true")
    return said == "true"


def _operation_costs(manifest: dict[str, Any]) -> Any:
    files = manifest["files"]
    digests = "\n".join(file["sha256"] for file in files[OPERATION_COSTS])
    return dg.MaterializeResult(
        asset_key=OPERATION_COSTS,
        metadata={
            "dagster/partition_row_count": sum(file["rows"] for file in files[OPERATION_COSTS]),
            "operations": sum(file["rows"] for file in files["operations"]),
            "files": shown.markdown_list(file["path"] for file in files[OPERATION_COSTS]),
        },
        data_version=dg.DataVersion(hashlib.sha256(digests.encode()).hexdigest()),
    )


def _notes(house: "House", state: "Published") -> list[str]:
    """What a person who just ran the day should know: the version that a closed day kept, and what
    is held back."""
    kept = kept_version(house, state)
    kept = kept and f"{kept}, or launch it with the run tag {FORCE}: true"
    return [note for note in (kept, held(house, state)) if note]


def _narrow(note: str) -> str:
    """With Markdown's hard breaks."""
    return "  \n".join(textwrap.wrap(note, NOTE_WIDTH, break_on_hyphens=False))


def _ledger(
    house: "House",
    receipt: "CommitReceipt",
    manifest: dict[str, Any],
    changed: str,
    notes: list[str],
) -> Any:
    policy = house.lake.policies.load(manifest["policy"]["file"])
    metric = policy.settlement.metric
    day = receipt.day
    rows = house.lake.read("ledger", day, day, ["tenant_id", *UNALLOCATED_COLUMNS])
    output = manifest["output"]
    tenants = top_tenants(rows, metric)
    reasons = unallocated_by_reason(rows, metric)
    return dg.MaterializeResult(
        asset_key=LEDGER,
        metadata={
            "dagster/partition_row_count": sum(
                file["rows"] for file in manifest["files"]["ledger"]
            ),
            "state": receipt.state,
            "unchanged": receipt.unchanged,
            "revised": changed,
            **({"notes": shown.markdown_list(map(_narrow, notes))} if notes else {}),
            "policy": f"{policy.policy} version {policy.version}, "
            f"digest {shown.digest(policy.digest)}",
            "forced": manifest["forced"],
            "settled": manifest["settled"],
            "tie_out": shown.table(*tie_out_lines(output["tie_out"], rows)),
            "unallocated_share": shown.percent(unallocated_share(output["tie_out"], metric, rows)),
            "top_tenants": shown.table(tenants, ("tenant", metric, "currency")),
            "unallocated": shown.table(reasons, ("reason", metric, "currency")),
            "coverage_by_route": shown.table(output["coverage"], COVERAGE_COLUMNS),
            "manifest": receipt.manifest_id,
            "content_digest": output["content_digest"],
            "recorded_at": manifest["recorded_at"],
        },
        data_version=dg.DataVersion(output["content_digest"]),
    )
