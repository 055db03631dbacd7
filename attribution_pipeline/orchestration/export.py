"""A FOCUS export of one deployment: which states, which landed bills, in which place.

Belongs here: giving ``export`` what it needs of the deployment, in plain Python. Does not: what a row
says (``export``), Dagster (``assets.export``), printing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.packet import states_of

if TYPE_CHECKING:
    from attribution_pipeline.export.focus import Dataset, Wanted
    from attribution_pipeline.export.stage import Tally
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House


@dataclass(frozen=True)
class Exported:
    """What was written, of which states."""

    states: Sequence[Published]
    datasets: Sequence[Dataset]
    tally: Tally


def export_focus(
    house: House,
    first: date | None,
    last: date | None,
    wanted: Wanted,
    out: Path,
    *,
    as_of: datetime | None = None,
) -> Exported:
    """Write ``wanted`` of the recorded days from ``first`` to ``last`` (None: as far as there are).

    Every file that those days stand on, and every log, is hashed first: a Refusal names what is missing
    or was changed, and nothing is written. Raises Refusal where no day is recorded.
    """
    from attribution_pipeline.export.focus import export
    from attribution_pipeline.export.origins import Source

    days = house.lake.days(as_of)
    begin = first or (days[0] if days else date.min)
    end = last or (days[-1] if days else begin)
    states = states_of(house, begin, end, as_of)
    try:
        house.lake.verify(begin, end, as_of)
    except OSError as problem:
        raise Refusal(
            (problem.strerror or str(problem)).lower(),
            where=str(problem.filename or house.lake.storage),
        ) from problem
    datasets, tally = export(
        Source(house.lake, lambda state: landed_bills(house, state)),
        states,
        wanted,
        out,
        house.compute,
        asked=_asked(wanted, begin, end, as_of),
    )
    return Exported(states, datasets, tally)


FOLDER = "exports"
"""Under the storage, a folder a day."""


def export_day(house: House, day: date, wanted: Wanted) -> tuple[Exported, dict[str, str]]:
    """A recorded day's export, put under the storage; and where each version's metadata lies there.

    In a folder an older export of the day is replaced as a whole. In a bucket its files are written
    over one by one, the metadata last. Raises as ``export_focus`` does.
    """
    from attribution_pipeline.export.statement import FILE

    place = house.deployment.place
    if isinstance(place, Path):
        done = export_focus(house, day, day, wanted, place / FOLDER / day.isoformat())
        return done, {one.version: str(one.folder / FILE) for one in done.datasets}
    found = {}
    with house.lake.staging(day) as scratch:
        out = scratch / FOLDER
        out.mkdir()
        done = export_focus(house, day, day, wanted, out)
        for one in done.datasets:
            folder = f"{FOLDER}/{day.isoformat()}/{one.folder.name}"
            for file in [*one.files, one.folder / FILE]:
                house.lake.store.place(file, f"{folder}/{file.name}")
            found[one.version] = house.lake.store.where(f"{folder}/{FILE}")
    return done, found


def landed_bills(house: House, state: Published) -> list[str]:
    """The bill's landed files that ``state`` may have read, hashed."""
    view = house.landed.as_of(state.landed)
    files = view.files("billing", None, state.day)
    view.verify(files)
    return view.local(files)


def _asked(wanted: Wanted, first: date, last: date, as_of: datetime | None) -> dict[str, Any]:
    return {
        "From": first.isoformat(),
        "To": last.isoformat(),
        "BillingPeriod": None if wanted.period is None else f"{wanted.period:%Y-%m}",
        "AsOf": None if as_of is None else as_of.isoformat(),
        "TenantId": wanted.tenant,
    }
