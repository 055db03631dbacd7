"""Files of landed spans in whose stead later ones stand: what was read again for more attributes.

Belongs here: which these are, between which landings each of them stood, what is said of one that is
missing. Does not: whether anybody needs one still (``lake.pruning``), reading again (``sources``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from attribution_pipeline.lake.landed import index
from attribution_pipeline.lake.landed.index import Landing
from attribution_pipeline.lake.landed.records import LandedFile
from attribution_pipeline.lake.receipts import pruned_on
from attribution_pipeline.lake.store import Store
from attribution_pipeline.model.errors import Refusal

_FROM_A_COPY = "read what stood before from a copy of the lake that was made before"


@dataclass(frozen=True)
class Replaced:
    """A file that stood from landing ``since`` until landing ``until`` came."""

    file: LandedFile
    since: int
    until: int
    replaced_at: datetime


def replaced_files(landings: Sequence[Landing]) -> list[Replaced]:
    """In the order in which they were replaced; a file that stood twice is named twice. A file that
    stands now is none of them."""
    standing: dict[str, tuple[int, LandedFile]] = {}
    found: list[Replaced] = []
    for landing in landings:
        again = {file.path for file in landing.files}
        for path in landing.replaces:
            if path in standing and path not in again:
                since, file = standing.pop(path)
                at = datetime.fromisoformat(landing.landed_at)
                found.append(Replaced(file, since, landing.ordinal, at))
        for file in landing.files:
            standing.setdefault(file.path, (landing.ordinal, file))
    return [one for one in found if one.file.path not in standing]


def no_longer_whole(store: Store, landings: Sequence[Landing], file: LandedFile) -> Refusal:
    """What to say of a landed file that is missing or was changed. ``landings``: those that are read; one
    that came later may be why it is gone."""
    where = store.where(file.path)
    if not store.exists(file.path):
        pruned = pruned_on(store, file.path)
        if pruned:
            return Refusal(
                f"a file of landed evidence was pruned on {pruned}: what was read again stands instead",
                where=where,
                remedy=_FROM_A_COPY,
            )
        # a bucket's own tools remove what `prune --list` named, and leave no receipt
        every = [*landings, *index.load(store, landings)]
        since = [one.replaced_at for one in replaced_files(every) if one.file.path == file.path]
        if since:
            return Refusal(
                f"a file of landed evidence is missing: what was read again stands instead since "
                f"{since[-1]:%Y-%m-%d}, and a list of files to prune may have named it",
                where=where,
                remedy=_FROM_A_COPY,
            )
    return Refusal(
        "a file of landed evidence is missing or was changed",
        where=where,
        remedy="restore it from a copy: a file that is whole is not read a second time",
    )
