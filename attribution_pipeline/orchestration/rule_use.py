"""Which rules of a policy took nothing on recorded days, from the evidence that they were computed from.

Belongs here: which days are asked and where their evidence lies. Does not: what taking is
(``attribution.rule_use``), wording (``views.rule_use``). Nothing is computed anew, and nothing recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attribution_pipeline.attribution.rule_use import RuleUse
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House

RECENT_DAYS = 7
"""Newest days that are asked: a week has every weekday's jobs."""


def recent(days: Iterable[date]) -> list[date]:
    """The newest of ``days``, oldest first."""
    return sorted(days)[-RECENT_DAYS:]


def other_versions(house: House, policy: Policy, days: Iterable[date]) -> list[int]:
    """Versions other than ``policy`` that ``days`` are recorded under. Charges, pods and calls are the same
    under each; tenants of the ledger's rows, which ``owners`` is asked of, may not be."""
    heads = (house.lake.head(day) for day in days)
    return sorted(
        {
            head.policy_version
            for head in heads
            if head is not None and head.policy_digest != policy.digest
        }
    )


def rules_used(house: House, policy: Policy, days: Sequence[date]) -> RuleUse:
    """Rules of ``policy``, published or not, over recorded ``days``. Each file is hashed first."""
    from attribution_pipeline.attribution.engine import session
    from attribution_pipeline.attribution.rule_use import RuleUse
    from attribution_pipeline.attribution.rule_use import rules_used as of_day

    # operations are the large plane, and where storage is a bucket they must be fetched
    planes = ("billing", "cluster", *(("operations",) if policy.serving else ()))
    use = RuleUse()
    for day in days:
        inputs = house.lake.manifest(day)["inputs"]
        files = {
            plane: {
                table: [str(path) for path in paths]
                for table, paths in house.lake.evidence.paths(inputs[plane]).items()
            }
            for plane in planes
        }
        rows = house.lake.read("ledger", day, day, ["tenant_id", "workflow_id"])
        owned = rows.group_by(["tenant_id", "workflow_id"]).aggregate([]).to_pylist()
        with house.lake.staging(day) as out, session(house.compute(out)) as db:
            use |= of_day(
                db,
                policy,
                charges=files["billing"]["charges"],
                cluster=files["cluster"],
                operations=files["operations"]["operations"] if policy.serving else (),
                owned=[(row["tenant_id"], row["workflow_id"]) for row in owned],
            )
    return use
