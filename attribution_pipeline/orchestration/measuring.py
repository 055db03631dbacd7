"""Figures of the pipeline for a monitor: is it alive, is it behind, does it add up.

Belongs here: reading them off the lake. Does not: how they are written or served (``commands.metrics``),
thresholds (the policy's, in the asset checks; alerts go by those).

They name sources, reasons and currencies, never a tenant, and no amount but the difference that must be
zero. Nothing is computed for them: they are read off the index of landed evidence, the newest manifests,
the last digests and verdicts; of the ledger's first day two columns, for what is of earlier days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.orchestration import verdicts
from attribution_pipeline.orchestration.digests import last_digests, newest_states
from attribution_pipeline.orchestration.ledger_figures import (
    rows_of_first_day,
    tie_out_rows,
    unallocated_share,
)
from attribution_pipeline.orchestration.staleness import by_moved, stale_days

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House

RECENT_DAYS = 7
"""Shares and differences are of so many newest recorded days: a score's window."""


@dataclass(frozen=True)
class Figure:
    """One gauge: its name without the common prefix, what it is, and its values by labels."""

    name: str
    help: str
    labels: tuple[str, ...]
    values: tuple[tuple[tuple[str, ...], float], ...]


def figures(house: House) -> list[Figure]:
    """Every figure, as the storage stands. Raises Refusal where a log, the index or a policy cannot be
    used."""
    house.reopen()
    heads = newest_states(house)
    return [*_landing(house), *_recorded(house, heads), *_stale(house), *_replayed(house, heads),
            *_versions(house, heads)]  # fmt: skip


def _landing(house: House) -> Iterator[Figure]:
    last = house.landed.last_landing()
    age = (house.now() - datetime.fromisoformat(last[1])).total_seconds() if last else None
    yield _figure("landing_age_seconds", "Since evidence last landed.", age)
    yield _figure("landings", "Landings so far.", last[0] if last else 0)
    through: dict[tuple[str, str], date] = {}
    objects: dict[tuple[str, str], int] = {}
    refused: dict[tuple[str, str], int] = {}
    for record in house.landed.objects():
        key = (record.kind, record.source)
        objects[key] = objects.get(key, 0) + record.read
        refused[key] = refused.get(key, 0) + record.refused
        if record.day_to is not None:
            through[key] = max(record.day_to, through.get(key, date.min))
    labels = ("kind", "source")
    yield Figure(
        "source_lag_seconds",
        "Since the end of the newest day that a source's evidence touches; negative while it is not over.",
        labels,
        _sorted(
            (key, (house.now() - _end_of(day)).total_seconds()) for key, day in through.items()
        ),
    )
    yield Figure("landed_objects", "Objects read so far.", labels, _sorted(objects.items()))
    yield Figure(
        "refused_objects",
        "Objects that cannot be used as a whole.",
        labels,
        _sorted(refused.items()),
    )
    rejected = (
        ((*key, reason), count)
        for key, reasons in house.landed.rejected_counts().items()
        for reason, count in reasons.items()
    )
    yield Figure(
        "rejected_records",
        "Records that cannot be used, of what every path holds now.",
        (*labels, "reason"),
        _sorted(rejected),
    )
    yield from _awaiting(house)


def _awaiting(house: House) -> Iterator[Figure]:
    from attribution_pipeline.sources.attributes import READ_BEFORE
    from attribution_pipeline.sources.awaiting import from_document

    files: dict[tuple[str, ...], int] = {}
    sizes: dict[tuple[str, ...], int] = {}
    overdue = again = 0
    waiting = from_document(house.landed.waiting())
    for one in waiting or []:
        key = (one.kind, one.source, one.reason)
        files[key] = files.get(key, 0) + one.objects
        sizes[key] = sizes.get(key, 0) + one.bytes
        if one.reason in READ_BEFORE:
            again += one.objects
        elif one.is_overdue(house.now()):
            overdue += one.objects
    labels = ("kind", "source", "reason")
    yield Figure("awaiting_objects", "Files that the last landing left unread, or could not read again.",
                 labels, _sorted(files.items()))  # fmt: skip
    yield Figure("awaiting_bytes", "Their size.", labels, _sorted(sizes.items()))
    yield _figure(
        "overdue_objects",
        "Of these, unread files whose delivery nobody has been writing for a while: evidence is missing. "
        "Left out where it is not known what the last landing left.",
        None if waiting is None else overdue,
    )
    yield _figure(
        "not_read_again_objects",
        "Of these, files of spans that were read before and lack attributes that a policy version names: "
        "tolerance.not_read_again accepts so many. Left out likewise.",
        None if waiting is None else again,
    )


def _recorded(house: House, heads: Mapping[date, Published]) -> Iterator[Figure]:
    yield _figure("recorded_days", "Days in the ledger.", len(heads))
    newest = max(heads, default=None)
    yield _figure(
        "last_recorded_day_timestamp_seconds",
        "End (UTC) of the newest day in the ledger.",
        _end_of(newest).timestamp() if newest else None,
    )
    committed = max((head.published_at for head in heads.values()), default=None)
    yield _figure(
        "last_commit_timestamp_seconds",
        "When a day was last recorded, newest or older.",
        committed.timestamp() if committed else None,
    )
    recent = [heads[day] for day in sorted(heads)[-RECENT_DAYS:]]
    documents = [house.lake.document(head) for head in recent]
    shares = {}
    for head, document in zip(recent, documents, strict=True):
        metric = house.policies.in_force(head.day)[0].settlement.metric
        rows = rows_of_first_day(house, head.day)
        found = unallocated_share(document["output"]["tie_out"], metric, rows)
        if found is not None:
            shares[head.day.isoformat(),] = float(found)
    yield Figure(
        "unallocated_ratio",
        f"Share of a day's cost without a tenant, the largest over currencies; {RECENT_DAYS} newest days.",
        ("charge_date",),
        _sorted(shares.items()),
    )
    apart = sum(
        (abs(_difference(row)) for document in documents
         for row in tie_out_rows(document["output"]["tie_out"])), Decimal(0),
    )  # fmt: skip
    yield _figure(
        "conservation_difference",
        f"What stands in the ledger and not in the bill, or the other way, {RECENT_DAYS} newest days: "
        "must be 0.",
        float(apart),
    )


def _stale(house: House) -> Iterator[Figure]:
    found = stale_days(house)
    yield _figure("stale_days", "Recorded days that would come out otherwise today.", len(found))
    oldest = min((one.day for one in found), default=None)
    yield _figure(
        "oldest_stale_day_timestamp_seconds",
        "End (UTC) of the oldest stale day.",
        _end_of(oldest).timestamp() if oldest else None,
    )
    yield Figure(
        "stale_days_by_cause",
        "Stale days by what moved; a day may have several causes.",
        ("cause",),
        _sorted(((name,), count) for name, count in by_moved(found).items()),
    )
    digests = last_digests(house)
    yield _figure(
        "evidence_looked_at_timestamp_seconds",
        "When recorded days' evidence was last looked at: what is stale is known as of then.",
        digests.written_at.timestamp() if digests else None,
    )


def _replayed(house: House, heads: Mapping[date, Published]) -> Iterator[Figure]:
    from attribution_pipeline.proof.replay import (
        INPUT_GONE,
        NOT_CONSERVED,
        OTHER_RESULT,
        REPRODUCED,
    )

    names = {REPRODUCED: "reproduced", INPUT_GONE: "input_gone", OTHER_RESULT: "other_result",
             NOT_CONSERVED: "not_conserved"}  # fmt: skip
    by_id = {head.manifest_id: head for head in heads.values()}
    found = verdicts.kept(house, by_id)
    counts = {(name,): 0 for name in names.values()}
    for verdict in found.values():
        counts[(names[verdict.code],)] += 1
    yield Figure(
        "replayed_days",
        "Recorded days whose newest state was replayed, by the last verdict.",
        ("verdict",),
        _sorted(counts.items()),
    )
    yield _figure(
        "replay_differing_rows",
        "Replay variance: rows that came out otherwise, by the last verdicts on newest states.",
        sum(verdict.differing for verdict in found.values()),
    )
    newest = max((verdict.replayed_at for verdict in found.values()), default=None)
    yield _figure(
        "last_replay_timestamp_seconds",
        "When a day was last replayed.",
        newest.timestamp() if newest else None,
    )


def _versions(house: House, heads: Mapping[date, Published]) -> Iterator[Figure]:
    from attribution_pipeline.attribution import KERNEL
    from attribution_pipeline.lake.formats import READ

    yield Figure(
        "schema_version",
        "Version of what this program writes, by kind of document.",
        ("document",),
        _sorted(((name.replace(" ", "_"),), max(versions)) for name, versions in READ.items()),
    )
    kernels: dict[tuple[str, ...], int] = {}
    for head in heads.values():
        kernels[(head.kernel,)] = kernels.get((head.kernel,), 0) + 1
    yield Figure("recorded_days_by_kernel", "Days by the engine's version that recorded them.",
                 ("kernel",), _sorted(kernels.items()))  # fmt: skip
    yield Figure("kernel_info", "The engine's version.", ("kernel",), (((KERNEL,), 1),))


def _difference(row: Mapping[str, Any]) -> Decimal:
    return Decimal(row.get("difference") or 0)


def _figure(name: str, said: str, value: float | None) -> Figure:
    """A gauge without labels; without a value it is left out, as nothing is known."""
    return Figure(name, said, (), () if value is None else (((), float(value)),))


def _sorted(
    values: Iterable[tuple[tuple[str, ...], float]],
) -> tuple[tuple[tuple[str, ...], float], ...]:
    return tuple(sorted((key, float(value)) for key, value in values))


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, UTC)
