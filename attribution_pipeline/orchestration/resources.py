"""The resource through which assets and checks reach the deployment.

Belongs here: Dagster's view of a ``House``. Does not: what is done with it.
"""

from __future__ import annotations

import dagster as dg

from attribution_pipeline.orchestration.house import House


class DeploymentFile(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The deployment file by path. It is read again in every run, so a run works with what the
    file says then; only ``first_day`` is fixed when definitions are loaded."""

    path: str

    def house(self) -> House:
        """The deployment, opened. Raises Refusal with file, line and remedy."""
        from pathlib import Path

        from attribution_pipeline.config import load_deployment

        return House(load_deployment(Path(self.path)))
