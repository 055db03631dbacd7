"""What Dagster loads: the definitions of the deployment that the environment names.

Belongs here: finding the deployment. Does not: what it consists of (``orchestration.composition``).

``defs`` is built when Dagster asks for it, not when this module is imported: without a deployment
file the answer is then one line that says what to do, and ``build_defs`` stays importable.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment


def build_defs(
    deployment: Deployment | Path | None = None,
    *,
    resource_overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Definitions of one deployment: given, or by file, or by ``$ATTRIBUTION_CONFIG`` or
    ``./attribution.yaml``. Raises Refusal where there is none."""
    from attribution_pipeline.config import Deployment, load_deployment
    from attribution_pipeline.orchestration.composition import compose

    found = deployment if isinstance(deployment, Deployment) else load_deployment(deployment)
    return compose(found, resource_overrides)


@dg.definitions
def defs() -> dg.Definitions:
    """The deployment that the environment names."""
    return build_defs()
