"""Models that a recorded day's bill and calls name apart, from the evidence that it was computed from.

Belongs here: when a day is asked, and where its files lie. Does not: what meeting is
(``attribution.unmet_models``), wording (``views.unmet_models``). Nothing is computed anew or recorded.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attribution_pipeline.attribution.unmet_models import Unmet
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House


def unmet_on(house: House, policy: Policy, day: date) -> list[Unmet]:
    """Of one recorded day under ``policy``, published or not. Each file is hashed first. Calls are read only
    where a model is billed that no slice of the recorded day saw."""
    from attribution_pipeline.attribution.engine import session
    from attribution_pipeline.attribution.unmet_models import unmet_models

    if not policy.meters:
        return []
    manifest = house.lake.manifest(day)

    def files(plane: str, table: str) -> list[str]:
        paths = house.lake.evidence.paths(manifest["inputs"][plane])
        return [str(path) for path in paths[table]]

    seen = {
        (row["provider"], row["model"])
        for row in manifest["output"]["coverage"]
        if Decimal(row["seen_tokens"])
    }
    with house.lake.staging(day) as out, session(house.compute(out)) as db:
        return unmet_models(
            db,
            policy,
            charges=files("billing", "charges"),
            operations=lambda: files("operations", "operations"),
            seen=seen,
        )
