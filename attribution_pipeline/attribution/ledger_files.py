"""The files of a day's ledger: pods' rows apart, since late calls of no pod leave them as they are.

Belongs here: which row goes into which file, by what the policy says. Does not: writing
(``writing``, ``publish``), which file stands (``late_outcome``).

Most rows of a ledger are pods': each charge of a node over whoever's calls worked there. Late calls
outside clusters move none of them, and to sort, compress and hash them again is a tenth of what such
late work costs (measured).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.late_classes import pools_of_standing_idle

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

LEAST_ROWS = 10_000
"""Pods' rows that are worth a file of their own: fewer are written in less time than it takes to look
after one."""

WHOLE = ("true",)
"""A ledger of one file."""


def of_pods(policy: Policy) -> str:
    """SQL: whether a row of ``ledger`` stands while no operation changes on the pods of its charge. The same
    rows as ``late/untouched_pods`` and ``late/untouched_idle`` carry, but for those at zero."""
    divided = "component = 'workload' and coalesce(unallocated_reason, '') not in ('no_driver', 'quarantined')"
    names = (policy.pools[index].name for index in pools_of_standing_idle(policy))
    pools = ["'" + name.replace("'", "''") + "'" for name in names]
    if pools:
        divided += (
            f" or component = 'idle' and coalesce(pool, '') in ({', '.join(pools)}) "
            "and (basis = 'driver' or coalesce(unallocated_reason, '') = 'no_operation_evidence')"
        )
    return f"(coalesce({divided}, false) and (billed_cost <> 0 or effective_cost <> 0))"


def parts(db: Session, policy: Policy, ledger: str) -> tuple[str, ...]:
    """For each file of a relation in the shape of ``ledger``, which of its rows are in it, as SQL."""
    pods = of_pods(policy)
    ((mine, others),) = db.rows(
        f"select count(*) filter ({pods}), count(*) filter (not {pods}) from {ledger}"
    )
    return (f"not {pods}", pods) if mine >= LEAST_ROWS and others else WHOLE
