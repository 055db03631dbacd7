"""What a deployment consists of, opened: its lake, landed evidence, policies, limits.

Belongs here: turning the deployment file into the objects that work with it. Does not: Dagster
(``resources`` wraps this), or any work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.lake import Lake

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute, SourceFacts
    from attribution_pipeline.config import Deployment
    from attribution_pipeline.lake.landed import LandedStore
    from attribution_pipeline.model.policy import PolicyBook
    from attribution_pipeline.sources.landing import Source


@dataclass(frozen=True)
class House:
    """One deployment, opened on first use; each part is read as it stands at that moment."""

    deployment: Deployment

    @cached_property
    def lake(self) -> Lake:
        """The recorded days."""
        return Lake(self.deployment.storage_folder)

    @cached_property
    def landed(self) -> LandedStore:
        """Landed evidence."""
        from attribution_pipeline.lake.landed import LandedStore

        return LandedStore(self.deployment.storage_folder)

    @cached_property
    def policies(self) -> PolicyBook:
        """Every published version. Raises Refusal with file, line and remedy."""
        from attribution_pipeline.model.policy import load_policies

        return load_policies(self.deployment.policies_folder)

    def refresh(self) -> None:
        """See what other runs landed meanwhile. Recorded days are looked up anew each time."""
        self.landed.refresh()

    @property
    def sources(self) -> list[Source]:
        """The deployment file's sources, as landing takes them."""
        from attribution_pipeline.sources.landing import Source

        return [
            Source(
                kind=kind,
                name=source.name,
                uri=source.uri,
                format=getattr(source, "format", ""),
                delivery=getattr(source, "delivery", ""),
                cluster=getattr(source, "cluster", None),
            )
            for kind, _, source in self.deployment.sources.each()
        ]

    @property
    def facts(self) -> SourceFacts:
        """What the deployment file says of sources that the engine must know."""
        from attribution_pipeline.attribution.day import SourceFacts

        return SourceFacts(delivery=dict(self.deployment.delivery))

    def compute(self, scratch: Path) -> Compute:
        """The limits of one day's work, spilling into ``scratch``."""
        from attribution_pipeline.attribution.day import Compute

        limits = self.deployment.compute
        return Compute(limits.threads, limits.memory_limit, str(scratch / "spill"))
