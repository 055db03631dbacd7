"""What a deployment consists of, opened: its lake, landed evidence, policies, limits.

Belongs here: turning the deployment file into the objects that work with it. Does not: Dagster
(``resources`` wraps this), or any work.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake import Lake

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute, SourceFacts
    from attribution_pipeline.config import Deployment
    from attribution_pipeline.envelope import KeyRing
    from attribution_pipeline.lake.landed import LandedStore
    from attribution_pipeline.lake.store import Store
    from attribution_pipeline.model.policy import PolicyBook
    from attribution_pipeline.sources.landing import Source
    from attribution_pipeline.sources.pull.run import Pull


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class House:
    """One deployment, opened on first use; each part is read as it stands at that moment."""

    deployment: Deployment
    clock: Callable[[], datetime] = utc_now
    """What time it is: states carry it, and periods settle by it."""
    store: Store | None = None
    """How storage is reached; None: as the deployment file says."""

    @property
    def _store(self) -> dict[str, Any]:
        return {} if self.store is None else {"store": self.store}

    def now(self) -> datetime:
        """The present instant in UTC, whole seconds."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    @property
    def own_folder(self) -> Path:
        """A local folder for files that people ask for: the storage's own, or with a lake in a
        bucket the one in which the deployment file lies."""
        place = self.deployment.place
        return place if isinstance(place, Path) else self.deployment.path.absolute().parent

    @cached_property
    def lake(self) -> Lake:
        """The recorded days."""
        return Lake(self.deployment.place, clock=self.clock, **self._store)

    @cached_property
    def landed(self) -> LandedStore:
        """Landed evidence."""
        from attribution_pipeline.lake.landed import LandedStore

        return LandedStore(self.deployment.place, clock=self.clock, **self._store)

    @cached_property
    def policies(self) -> PolicyBook:
        """Every published version. Raises Refusal with file, line and remedy."""
        from attribution_pipeline.model.policy import load_policies

        return load_policies(self.deployment.policies_folder)

    @cached_property
    def keys(self) -> KeyRing:
        """The keys that envelopes are verified with. Raises Refusal with file, line and remedy."""
        return self.deployment.key_ring()

    def require_policy_history(self) -> None:
        """Published means immutable: every version that a recorded state used is there, unchanged.
        Raises Refusal naming the file."""
        from attribution_pipeline.model.policy.history import require_history

        require_history(self.policies, self.lake.states())

    def refresh(self) -> None:
        """See what other runs landed meanwhile. Recorded days are looked up anew each time."""
        self.landed.refresh()

    def reopen(self) -> None:
        """For a new run: policies and keys are read again, too."""
        self.__dict__.pop("policies", None)
        self.__dict__.pop("keys", None)
        self.refresh()

    @property
    def sources(self) -> list[Source]:
        """The deployment file's sources, as landing takes them."""
        from attribution_pipeline.sources.landing import Source

        return [
            Source(
                kind=kind,
                name=source.name,
                uri=self.deployment.source_place(source),
                format=getattr(source, "format", ""),
                delivery=getattr(source, "delivery", ""),
                cluster=getattr(source, "cluster", None),
                account=getattr(source, "account", None) or "",
            )
            for kind, _, source in self.deployment.sources.each()
        ]

    @property
    def pulls(self) -> list[Pull]:
        """The deployment file's live sources, as pulling takes them."""
        from attribution_pipeline.orchestration.pulling import pulls_of

        return pulls_of(self.deployment)

    @property
    def facts(self) -> SourceFacts:
        """What the deployment file says of sources that the engine must know."""
        from attribution_pipeline.attribution.day import SourceFacts

        return SourceFacts(delivery=dict(self.deployment.delivery))

    def compute(self, scratch: Path) -> Compute:
        """The limits of one day's work. It spills beside ``scratch``, into one folder a process."""
        from attribution_pipeline.attribution.day import Compute, Spark

        limits, address = self.deployment.compute, self.deployment.spark
        spill = scratch.parent / f"spill-{os.getpid()}"
        spark = None
        if self.deployment.engine == "spark" and address is not None:
            spark = Spark(address.master, address.remote, tuple(sorted(address.conf.items())))
        return Compute(limits.threads, limits.memory_limit, str(spill), spark)
