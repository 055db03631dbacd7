"""Labels of dedicated workloads: whose cost a pod is, and whose its calls are that nobody named.

Belongs here: the ladder's rung ``workload``. Does not: which label wins (``nodes``), what a pod costs
(``workloads``), rungs that spans answer (``identity``).

A workload that is declared dedicated serves one tenant, so its label answers for the calls of its
pods too, where the policy's ladder comes to it. It never answers for a call of which somebody was
named who is not believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.nodes import dedicated_pods, label_snapshot, tenants_said
from attribution_pipeline.model.ledger import WHO

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

RUNG = "workload"

ANSWERED = (*WHO, "originator_id")
"""What a label's tenant stands alone for: no column of a call is one source's and another's."""


def load_dedicated(db: Session, policy: Policy) -> None:
    """``dedicated`` (grain: pod that a label names a tenant for; ``source``: which label), and
    ``labelled`` (grain: cluster or none, namespace, pod): the same by the names that spans use.

    Reads ``pods_named`` and ``kubernetes``.
    """
    import pyarrow as pa

    rows = []
    if RUNG in policy.join.identity:
        snapshot = label_snapshot(db)
        for pod in dedicated_pods(db, policy):
            for source, tenant in tenants_said(pod, snapshot, policy).items():
                rows.append((pod["pod_id"], policy.tenant_alias(tenant), source))
                break
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    db.load(
        "dedicated",
        pa.table(
            {
                "pod_id": pa.array(columns[0], pa.int64()),
                "tenant_id": pa.array(columns[1], pa.string()),
                "label_source": pa.array(columns[2], pa.string()),
            }
        ),
    )
    db.run("phases/labelled")


def asks_pods(policy: Policy, prefix: str = "") -> str:
    """SQL: whether nobody named an operation before this rung."""
    ladder: list[str] = [*policy.join.identity]
    later = ["unknown", *(ladder[ladder.index(RUNG) + 1 :] if RUNG in ladder else ())]
    asked = ", ".join(f"'{rung}'" for rung in later)
    return f"({prefix}identity_source in ({asked}) and not {prefix}unverified)"


def named_by_workload(db: Session, policy: Policy, operations: str) -> str:
    """``operations`` as SQL, calls that nobody named before this rung under their pod's tenant: the
    pod that called, else the one that served."""
    if not db.one("select count(*) from labelled"):
        return f"select * from {operations}"
    columns = [row[0] for row in db.rows(f"select column_name from (describe {operations})")]
    answers = {
        **{column: f"case when w.tenant_id is null then o.{column} end" for column in ANSWERED},
        "tenant_id": "coalesce(w.tenant_id, o.tenant_id)",
        "identity_source": f"case when w.tenant_id is null then o.identity_source else '{RUNG}' end",
        "verdict": "case when w.tenant_id is null then o.verdict else 'unsigned' end",
    }
    told = ", ".join(
        f"{answers[column]} as {column}" if column in answers else f"o.{column}"
        for column in columns
    )
    pods = " ".join(
        f"left join labelled {side} on {side}.namespace = o.{side}_namespace "
        f"and {side}.pod = o.{side}_pod "
        f"and coalesce({side}.cluster, chr(30)) = coalesce(o.{side}_cluster, chr(30))"
        for side in ("caller", "serving")
    )
    return (
        f"select {told} from (select o.*, case when {asks_pods(policy, 'o.')} "
        "then coalesce(caller.tenant_id, serving.tenant_id) end as answer "
        f"from {operations} o {pods}) o "
        "left join (select distinct tenant_id from labelled) w on w.tenant_id = o.answer"
    )
