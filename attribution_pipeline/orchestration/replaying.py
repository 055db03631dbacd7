"""Replays of one deployment: which state, which evidence, which version, which days tonight.

Belongs here: giving ``proof`` what it needs of the deployment, in plain Python. Does not: verdicts
and comparisons (``proof``), Dagster (``assets.replay``, ``checks.replay``), printing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof import normalization, replay_frozen
from attribution_pipeline.proof.policy_reads import read_otherwise
from attribution_pipeline.proof.replay import DayReplay, clean_place, refused, replay_day
from attribution_pipeline.proof.replay_under import (
    TENANTS_FILE,
    DayComparison,
    Evidence,
    by_tenant,
    compare_under,
    without_evidence,
)

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.proof.roll_ups import Gate

SAMPLE_DAYS = 3
"""Older days that are replayed every night beside yesterday. See ``days_of_tonight``."""


def replay(house: House, state: Published, *, check_logs: bool = True) -> DayReplay:
    """The verdict on a recorded state. Computes in a place of its own; the storage is only read.

    ``check_logs``: False where the caller has asked ``damaged_log`` already, once for many days.
    """
    problem = damaged_log(house) if check_logs else None
    if problem is not None:
        return refused(state, problem)
    return replay_day(house.lake, state, house.compute)


def damaged_log(house: House) -> Refusal | OSError | None:
    """What is wrong with any table's log; None where every entry is what was committed. The files of
    a day are hashed where its replay opens them."""
    try:
        house.lake.verify(date.max, date.min)  # of no day: the logs alone
    except (Refusal, OSError) as problem:
        return problem
    return None


def required_head(house: House, day: date) -> Published:
    """The day's newest state. Raises Refusal where the day is not recorded."""
    head = house.lake.head(day)
    if head is None:
        raise Refusal(
            f"{day} is not recorded",
            where=str(house.lake.storage),
            remedy=f"attribution run --from {day} --to {day}",
        )
    return head


def version_of(house: House, number: int) -> Policy:
    """A policy version, as days were recorded under it; else as it is published now."""
    for state in house.lake.states():
        if state.policy_version == number:
            return replay_frozen.policy_of(house.lake, house.lake.document(state))
    return house.policies.version(number)


def compare_on_then(
    house: House, state: Published, policy: Policy, as_of: datetime, out: Path
) -> DayComparison:
    """``policy`` on the evidence that ``state``, which stood as of then, was computed from."""
    said = (
        f"the evidence of state {state.state}, which stood as of "
        f"{as_of.isoformat(timespec='seconds')}"
    )
    if (policy.version, policy.digest) == (state.policy_version, state.policy_digest):
        return compare_under(house.lake, state, policy, Evidence(said, None), out, house.compute)
    from attribution_pipeline.orchestration.planes import planes_then

    with clean_place() as scratch:
        try:
            frozen = replay_frozen.frozen(house.lake, state)
            planes = frozen.planes
            otherwise = read_otherwise(policy, frozen.policy)
            if otherwise:
                names = " and ".join(sorted(otherwise))
                said += f" ({names} derived again from what had landed then, landing {state.landed}"
                said += f"{_unread_then(house, state, policy)})"
                alike = {name: planes[name] for name in planes if name not in otherwise}
                planes = planes_then(house, state, policy, scratch, alike)
        except (Refusal, OSError) as problem:
            return without_evidence(state, policy, said, problem)
        return compare_under(house.lake, state, policy, Evidence(said, planes), out, house.compute)


def compare_on_today(house: House, state: Published, policy: Policy, out: Path) -> DayComparison:
    """``policy`` on what has landed by now, against the newest state."""
    from attribution_pipeline.orchestration.planes import planes_for

    ordinal, _ = house.landed.head
    said = f"today's evidence (landing {ordinal})"
    with clean_place() as scratch:
        try:
            planes = planes_for(house, state.day, policy, scratch)
        except (Refusal, OSError) as problem:
            return without_evidence(state, policy, said, problem)
        return compare_under(house.lake, state, policy, Evidence(said, planes), out, house.compute)


def tenants_of(house: House, files: Sequence[Path], out: Path) -> list[dict[str, Any]]:
    """Compared rows added up by tenant and currency; also written to ``out``."""
    import pyarrow.parquet as pq

    with clean_place() as scratch:
        rows = by_tenant(files, house.compute(scratch))
    pq.write_table(rows, out / TENANTS_FILE, compression="zstd")
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def _unread_then(house: House, state: Published, policy: Policy) -> str:
    """What the landing of then had not been read for; empty where nothing is missing."""
    from attribution_pipeline.attribution.operations import LOOKBACK_DAYS
    from attribution_pipeline.sources.attributes import named, unread_on

    around = timedelta(days=LOOKBACK_DAYS)
    found = unread_on(
        house.landed.as_of(state.landed), policy.join.attribute_names(),
        state.day - around, state.day + around,
    )  # fmt: skip
    if not found.objects:
        return ""
    return f", of which {found.objects:,} objects were not read for {named(found.names)}"


def gate_of_day(house: House, state: Published) -> Gate:
    """Hours against the day. Raises Refusal naming a changed file."""
    with clean_place() as scratch:
        return normalization.gate_of_day(
            house.lake, house.landed, house.facts, state, house.compute(scratch)
        )


def gate_of_month(house: House, month: date) -> Gate:
    """Days against the billing periods that begin in ``month``. Raises Refusal naming a file."""
    from attribution_pipeline.orchestration.planes import plane_of_day

    def has_moved(day: date) -> bool:
        return (
            required_head(house, day).inputs["billing"]
            != plane_of_day(house, "billing", day).digest
        )

    with clean_place() as scratch:
        return normalization.gate_of_month(
            house.lake,
            house.landed,
            house.facts,
            month,
            first_day=house.deployment.first_day,
            has_moved=has_moved,
            compute=house.compute(scratch),
        )


def days_of_tonight(house: House, tonight: date) -> list[date]:
    """Yesterday, where it is recorded, and SAMPLE_DAYS older days, settled ones first.

    The sample goes round by the date alone, so that a night that is run twice takes the same days
    and no state is kept between nights: see ``rotation``.
    """
    yesterday = tonight - timedelta(days=1)
    recorded = house.lake.days()
    older = [day for day in recorded if day < yesterday]
    sample: list[date] = []
    unsettled: list[date] = []
    for day in rotation(older, tonight):
        if len(sample) == SAMPLE_DAYS:
            break
        (sample if required_head(house, day).settled else unsettled).append(day)
    sample += unsettled[: SAMPLE_DAYS - len(sample)]
    return [*([yesterday] if yesterday in recorded else []), *sorted(sample)]


def rotation(days: Sequence[date], tonight: date) -> Iterator[date]:
    """All of ``days``, from another place every night.

    Places are counted in calendar days from the oldest, on a ring of a power of two, so that a new
    day each day does not move them: counted modulo the number of days, start and end would grow
    together and the sample would stand still. Every night starts SAMPLE_DAYS places after the night
    before, so every day comes up within ring / SAMPLE_DAYS nights. The part of the ring on which no
    day stands yet lies over its lower half.
    """
    if not days:
        return iter(())
    oldest = days[0]
    places: Mapping[int, date] = {(day - oldest).days: day for day in days}
    ring = 1 << max(places).bit_length()
    start = tonight.toordinal() * SAMPLE_DAYS % ring
    if start > max(places):
        start -= ring // 2
    return (places[place] for place in chain(range(start, ring), range(start)) if place in places)
