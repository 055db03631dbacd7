"""What a run is told of a day beyond its tie-out: what it revised, which policy it kept, and that no bill
has landed.

Belongs here: reading that of a recorded state. Does not: why rows changed (``attribution``), how
many rows read (``views.revisions``).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House


def revised(house: House, state: Published) -> str:
    """``12 rows (late_spans), 1.607 USD added, 1.607 USD taken away``: the changes of this one state
    of a day, in the metric of the policy that it was recorded under. Empty where it changed no row."""
    from attribution_pipeline.orchestration.governing import recorded_policy
    from attribution_pipeline.views.revisions import changes

    said = changes(revisions_of(house, state), recorded_policy(house, state).settlement.metric)
    forced = said and house.lake.document(state)["forced"]
    return f"{said}, forced over a closed period" if forced else said


def revisions_of(house: House, state: Published) -> pa.Table:
    """Rows of ``ledger_revisions`` that this state added: its files that the one before it lacks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from attribution_pipeline.model.ledger import LEDGER_REVISIONS

    before = [other for other in house.lake.states(state.day) if other.state == state.state - 1]
    earlier = {entry["path"] for other in before for entry in _files(house, other)}
    added = [entry for entry in _files(house, state) if entry["path"] not in earlier]
    schema = pa.schema([field for field in LEDGER_REVISIONS if field.name != "charge_date"])
    parts = [
        pq.read_table(house.lake.verified(house.lake.stored(entry)), partitioning=None).cast(schema)
        for entry in added
    ]
    return pa.concat_tables([schema.empty_table(), *parts])


def kept_version(house: House, state: Published) -> str:
    """A line for a closed day that stays under the version that it was recorded under, while
    another one is in force; empty for any other."""
    policy, digest = house.policies.in_force(state.day)
    if state.policy_digest == digest:
        return ""
    return (
        f"{state.day} has settled charges and keeps policy version {state.policy_version}, though "
        f"version {policy.version} is in force; to reach back over the closed period: "
        f"{forcing(state.day, state.day)}"
    )


def held(house: House, state: Published) -> str:
    """A line for a day of which ``closed_period: hold`` holds something back; else empty."""
    rows = sum(entry["rows"] for entry in house.lake.document(state)["files"].get("variances", []))
    if not rows:
        return ""
    return (
        f"{state.day} holds {rows:,} row{'' if rows == 1 else 's'} of closed periods as they were; "
        f"what today's evidence says: attribution ledger --table variances --from {state.day} "
        f"--to {state.day}"
    )


def without_bill(house: House, state: Published) -> str:
    """A line for a day on which no charge falls, while no source has landed a row of its month; else
    empty. A bill that only lacks the day is the finding of the day's evidence alone."""
    from attribution_pipeline.orchestration.policy_diff import WITHOUT_BILL
    from attribution_pipeline.orchestration.refused_bills import files_of_month

    findings = house.lake.document(state)["output"]["findings"]
    if all(finding["check"] != WITHOUT_BILL for finding in findings):
        return ""
    if files_of_month(house, state.day):
        return ""
    return (
        f"no bill has landed for {state.day}, nor for any day of its month: its ledger is empty. Put "
        "the bill where a source under `sources.billing` looks, and run the day again; the day counts "
        f"as recorded under policy version {state.policy_version}, so what that version says may not "
        "change any more"
    )


def forcing(first: date, last: date) -> str:
    """The command that lets a version govern closed days too."""
    return f"attribution run --from {first} --to {last} --force"


def _files(house: House, state: Published) -> list[dict[str, Any]]:
    files: dict[str, list[dict[str, Any]]] = house.lake.document(state)["files"]
    return files.get("ledger_revisions", [])
