"""``policy_versions``: every published policy, as the runbook that people read.

Belongs here: the policy asset. Does not: what a policy means (``model.policy``) or how it reads in
words (``model.policy_text``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import hashlib
from typing import Any

import dagster as dg

from attribution_pipeline.orchestration.metadata import digest, table
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

COLUMNS = ("version", "effective from", "digest", "policy", "published by", "note")


@dg.asset(
    group_name="policy",
    kinds={"yaml"},
    description=(
        "Every published policy by version, digest and effective day, and the newest one in words: "
        "formulas, keys, tolerances and the late-data rule, with a worked line each."
    ),
)
def policy_versions(deployment: DeploymentFile) -> Any:
    """Read the policies and show the newest as its runbook."""
    from attribution_pipeline.model.policy_text import render

    with shown_as_failures():
        book = deployment.house().policies
    rows = [
        {
            "policy": policy.policy,
            "version": policy.version,
            "effective from": policy.effective_from,
            "digest": digest(policy.digest),
            "published by": policy.published_by,
            "note": policy.note,
        }
        for policy in reversed(book.versions)
    ]
    newest = book.versions[-1]
    digests = "\n".join(sorted(policy.digest for policy in book.versions))
    return dg.MaterializeResult(
        metadata={
            "versions": table(rows, COLUMNS),
            "newest": f"{newest.policy} version {newest.version}",
            "runbook": dg.MetadataValue.md(render(newest)),
        },
        data_version=dg.DataVersion(hashlib.sha256(digests.encode()).hexdigest()),
    )
