"""Models that a recorded day's bill and calls name apart, from the evidence that it was computed from.

Belongs here: when a day is asked, and where its files lie. Does not: what meeting is
(``attribution.unmet_models``), wording (``views.unmet_models``). Nothing is computed anew or recorded.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attribution_pipeline.attribution.unmet_models import Unmet
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House


def unmet_on(house: House, policy: Policy, day: date) -> list[Unmet]:
    """Of one recorded day under ``policy``, published or not. Each file is hashed first. Under the version
    that it is recorded under the calls are read only where a slice has none: they are the large plane."""
    from attribution_pipeline.attribution.engine import session
    from attribution_pipeline.attribution.unmet_models import unmet_models

    manifest = house.lake.manifest(day)
    head = house.lake.head(day)
    is_recorded = head is not None and head.policy_digest == policy.digest
    if not policy.meters or (is_recorded and not any(map(is_unseen, _coverage(manifest)))):
        return []
    files = {
        table: [str(path) for path in house.lake.evidence.paths(manifest["inputs"][plane])[table]]
        for plane, table in (("billing", "charges"), ("operations", "operations"))
    }
    with house.lake.staging(day) as out, session(house.compute(out)) as db:
        return unmet_models(db, policy, **files)


def is_unseen(coverage: dict[str, Any]) -> bool:
    """Whether a recorded slice was billed, and no call of it seen."""
    return coverage["coverage"] is not None and not Decimal(coverage["coverage"])


def _coverage(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manifest["output"]["coverage"]
    return found
