"""The resource through which assets and checks reach the deployment.

Belongs here: Dagster's view of a ``House``. Does not: what is done with it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from attribution_pipeline.orchestration.house import House

MOST_OPEN = 4
"""Deployments that a process keeps open; it has one, but for tests."""


class DeploymentFile(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The deployment file by path. It is read again in every run, so a run works with what the
    file says then; only ``first_day`` is fixed when definitions are loaded."""

    path: str
    _opened: House | None = PrivateAttr(default=None)

    def house(self) -> House:
        """The deployment, as it stands. Raises Refusal with file, line and remedy.

        A process that makes many days opens it once: what was read of logs and landed evidence is
        not read again, only what came since. Policies are read once a run.
        """
        if self._opened is None:
            self._opened = open_house(Path(self.path))
        else:
            self._opened.refresh()
        return self._opened


def open_house(path: Path) -> House:
    """The one object through which this process's runs see a deployment, as it stands now. Raises Refusal."""
    content = path.read_bytes() if path.is_file() else b""
    house = _opened(str(path.absolute()), content)
    house.reopen()
    return house


@lru_cache(maxsize=MOST_OPEN)
def _opened(path: str, content: bytes) -> House:
    """One object for one content of the file; ``load_deployment`` reads it, or refuses."""
    from attribution_pipeline.config import load_deployment

    return House(load_deployment(Path(path)))
