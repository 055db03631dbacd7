"""A review packet of one deployment: which states, which evidence, which keys.

Belongs here: giving ``proof.packet`` what it needs of the deployment, in plain Python. Does not:
what a packet holds (``proof.packet``), printing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.replaying import damaged_log

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.proof.packet.build import Contents


def write_packet(
    house: House,
    tenant: str,
    first: date,
    last: date,
    *,
    out: Path,
    key: Path | None,
    as_of: datetime | None = None,
) -> tuple[Contents, str]:
    """Make and sign the packet of a tenant; its contents and the id of the key that signed it.

    Nothing is written where anything that it stands on is missing or was changed: Refusal names it.
    """
    from attribution_pipeline.proof.packet.build import Sources, build
    from attribution_pipeline.proof.packet.sealing import load_signer, seal

    if out.exists():
        raise Refusal(
            "there is a file already", where=str(out), remedy="name another, or remove it"
        )
    signer = load_signer(key)
    problem = damaged_log(house)
    if isinstance(problem, OSError):
        raise Refusal(
            (problem.strerror or str(problem)).lower(),
            where=str(problem.filename or house.lake.storage),
        ) from problem
    if problem is not None:
        raise problem
    sources = Sources(house.lake, house.landed.as_of, house.compute, house.keys)
    contents = build(
        sources,
        states_of(house, first, last, as_of),
        tenant,
        first=first,
        last=last,
        issued_at=house.now(),
    )
    return contents, seal(out, contents.said, contents.files, signer)


def states_of(house: House, first: date, last: date, as_of: datetime | None) -> Sequence[Published]:
    """The newest state of each recorded day, or the one that was by ``as_of``. Raises Refusal where
    no day is recorded."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    found = [state for day in days if (state := house.lake.head(day, as_of)) is not None]
    if not found:
        raise Refusal(
            f"no day from {first} to {last} is recorded"
            + ("" if as_of is None else f" by {as_of.isoformat(timespec='seconds')}"),
            where=str(house.lake.storage),
            remedy=f"run them first: attribution run --from {first} --to {last}",
        )
    return found
