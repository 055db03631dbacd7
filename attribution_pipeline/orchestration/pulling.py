"""Live sources of a deployment: from the deployment file to what ``sources.pull`` takes.

Belongs here: that translation, and asking all of them. Does not: Dagster (``assets.pull``), the
APIs themselves (``sources.pull``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.sources.pull.run import Pull, PullReport


def pulls_of(deployment: Deployment) -> list[Pull]:
    """Every entry under ``pull``, with the folder that it fills and its limits."""
    from attribution_pipeline.config_pull import pulled_into
    from attribution_pipeline.sources.pull.limits import LIMITS
    from attribution_pipeline.sources.pull.run import Pull

    found = []
    for index, entry in enumerate(deployment.pull):
        source = pulled_into(entry, deployment.sources)
        assert source is not None  # the deployment file was refused without it
        found.append(
            Pull(
                name=entry.name,
                api=entry.api,
                endpoint=entry.address,
                into=source.name,
                uri=deployment.source_place(source),
                first_day=deployment.first_day,
                where=deployment.where("pull", index),
                key_env=entry.key_env,
                key_file=entry.key_path,
                ca_file=entry.authority,
                cluster=entry.cluster or "",
                every=entry.every,
                limits=replace(LIMITS, **entry.limits.model_dump(exclude_none=True)),
            )
        )
    return found


def pull(
    house: House,
    *,
    names: Collection[str] = (),
    days: tuple[date, date] | None = None,
    again: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> list[PullReport]:
    """Ask every live source, or the named ones, and keep what they answer.

    Raises Refusal where there is none, a name is unknown, or one can't be asked as it is configured.
    """
    from attribution_pipeline.sources.pull.run import pull_all

    pulls = house.pulls
    if not pulls:
        raise Refusal(
            "there is nothing to pull", where=str(house.deployment.path),
            remedy="add entries under `pull`; see docs/how-to/live-sources.md",
        )  # fmt: skip
    unknown = sorted(set(names) - {one.name for one in pulls})
    if unknown:
        raise Refusal(
            f"there is no pull `{unknown[0]}`", where=house.deployment.where("pull"),
            remedy=f"use one of: {', '.join(one.name for one in pulls)}",
        )  # fmt: skip
    chosen = [one for one in pulls if not names or one.name in names]
    return pull_all(chosen, house.now(), days=days, again=again, tell=tell)
