"""The resource through which assets and checks reach the deployment.

Belongs here: Dagster's view of a ``House``. Does not: what is done with it.
"""

from __future__ import annotations

import dagster as dg
from pydantic import PrivateAttr

from attribution_pipeline.orchestration.house import House


class DeploymentFile(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The deployment file by path. It is read again in every run, so a run works with what the
    file says then; only ``first_day`` is fixed when definitions are loaded."""

    path: str
    _opened: House | None = PrivateAttr(default=None)

    def house(self) -> House:
        """The deployment, opened once a run. Raises Refusal with file, line and remedy."""
        from pathlib import Path

        from attribution_pipeline.config import load_deployment

        if self._opened is None:
            self._opened = House(load_deployment(Path(self.path)))
        else:
            self._opened.refresh()
        return self._opened
