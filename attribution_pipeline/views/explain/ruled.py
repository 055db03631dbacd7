"""Days that stand under another policy than the days they are compared with, under that one too.

Belongs here: computing them beside the lake, from the evidence that they were recorded from; the lake
is only read. Does not: formulas (``attribution``), what the difference is called (``parts``).

Without it what a rule moved would be inside requests, prices and machines: no ledger of this period
under the other version exists. With it the other parts are of two periods under one rule, and the
difference between the recorded ledger and the computed one is the part ``policy_change``.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof import replay_frozen
from attribution_pipeline.proof.policy_reads import OPERATIONS, read_otherwise
from attribution_pipeline.views.explain.periods import COMPARED, RECORDED_LEDGER, RULED_LEDGER

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute, Plane
    from attribution_pipeline.envelope import KeyRing
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.landed import LandedStore, LandedView
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.views.explain.periods import Period

MOST_DAYS = 14
"""Days that are computed for one explanation: each takes what a run of it takes. A comparison of more
says so and leaves the rule inside its parts."""


class Computed:
    """Files of one day under another version, by table, in a folder that goes when nobody holds this."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: Mapping[str, Sequence[str]] = {}
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @property
    def nbytes(self) -> int:
        """What they take on the disk."""
        return sum(Path(path).stat().st_size for paths in self.files.values() for path in paths)


def _anew(_of: tuple[object, ...], make: Callable[[], Computed]) -> Computed:
    return make()


@dataclass(frozen=True)
class Means:
    """What it takes to compute a day beside the lake."""

    lake: Lake
    landed: LandedStore
    keys: Callable[[], KeyRing | None]
    compute_in: Callable[[Path], Compute]
    """The limits of one day's work, spilling into the folder that is given."""
    most_days: int = MOST_DAYS
    kept: Callable[[tuple[object, ...], Callable[[], Computed]], Computed] = _anew
    """Keeps what was computed: a recorded state under one version comes out the same each time."""


def under_one_rule(
    means: Means, against: Period, now: Period, scratch: Path
) -> tuple[Period, Period]:
    """Both periods under the version of the against-period's last day; as they were where they stand
    under one version, or where it cannot be had: ``Period.mixed`` then says why.

    Files of computed days are in ``scratch``, and live as long as ``Period.held``.
    """
    if len({*against.versions, *now.versions}) < 2:
        return against, now
    rule = against.states[-1]
    others = {state.manifest_id: state for state in under_another(against, now)}
    try:
        _require_computable(means, list(others.values()))
        policy = replay_frozen.policy_of(means.lake, means.lake.document(rule))
        made = {
            name: means.kept(
                ("ruled", name, policy.digest), partial(_made, means, state, policy, scratch)
            )
            for name, state in others.items()
        }
    except Refusal as refusal:
        why = f"{refusal.what}"
        return replace(against, mixed=why), replace(now, mixed=why)
    return _with(means.lake, against, made, rule), _with(means.lake, now, made, rule)


def under_another(against: Period, now: Period) -> list[Published]:
    """States that stand under another version than the last one of ``against``, each once: a day may be
    of both periods."""
    rule = _version(against.states[-1])
    states = {one.manifest_id: one for one in (*against.states, *now.states)}
    return [one for one in states.values() if _version(one) != rule]


def _require_computable(means: Means, states: list[Published]) -> None:
    lake = means.lake
    if len(states) > means.most_days:
        raise Refusal(
            f"{len(states)} days stand under another version, and up to {means.most_days} are computed"
        )
    for state in states:
        if state.kernel != KERNEL:
            raise Refusal(f"{state.day} was computed by kernel {state.kernel}, this is {KERNEL}")
        if lake.document(state)["files"].get("variances"):
            raise Refusal(f"a closed amount of {state.day} is held")


def _made(means: Means, state: Published, policy: Policy, scratch: Path) -> Computed:
    """The day of ``state`` under ``policy``."""
    from attribution_pipeline.attribution.reconcile import reconcile

    made = Computed(Path(tempfile.mkdtemp(prefix=f"{state.day}-", dir=scratch)))
    lake, out = means.lake, made.folder
    document = lake.document(state)
    planes = replay_frozen.planes_of(lake, document)
    otherwise = read_otherwise(policy, replay_frozen.policy_of(lake, document))
    if otherwise - {OPERATIONS}:
        raise Refusal(f"the versions read {' and '.join(sorted(otherwise))} otherwise")
    if otherwise:
        folder = out / "operations-plane"
        folder.mkdir()
        planes["operations"] = _operations(means, state, policy, folder)
    outcome = reconcile(
        planes, policy, state.day, policy_digest=policy.digest, recorded_at=state.recorded_at,
        previous=None, out=out, compute=means.compute_in(out),
    )  # fmt: skip
    made.files = {table: [str(path) for path in outcome.files.get(table, ())] for table in COMPARED}
    _leave(out, {Path(path) for paths in made.files.values() for path in paths})
    return made


def _leave(folder: Path, wanted: Set[Path]) -> None:
    """Nothing in the folder but these: planes and what spilled are larger than what is compared."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


def _operations(means: Means, state: Published, policy: Policy, out: Path) -> Plane:
    """Calls as ``policy`` reads who made them, from the spans that had landed by then."""
    from attribution_pipeline.attribution.day import Landed
    from attribution_pipeline.attribution.operations import LOOKBACK_DAYS, operation_plane

    landed = means.landed.as_of(state.landed)
    around = timedelta(days=LOOKBACK_DAYS)
    _require_read(landed, policy, state.day, around)
    spans = landed.files("spans", state.day - around, state.day + around)
    landed.verify(spans)
    return operation_plane(
        Landed(files={"spans": landed.local(spans)},
               current_objects={"spans": landed.current_objects("spans")}),
        state.day, policy, out=out, compute=means.compute_in(out), keys=means.keys(),
    )  # fmt: skip


def _require_read(landed: LandedView, policy: Policy, day: date, around: timedelta) -> None:
    """Raise Refusal where spans of the day had not been read for what the policy names."""
    from attribution_pipeline.sources.attributes import named, unread_on

    missing = unread_on(landed, policy.join.attribute_names(), day - around, day + around)
    if missing.objects:
        raise Refusal(
            f"spans of {day} had not been read for {named(missing.names)} when it was recorded"
        )


def _with(lake: Lake, period: Period, made: Mapping[str, Computed], rule: Published) -> Period:
    """The period with the computed days instead of the recorded ones, which stand beside them."""
    files: dict[str, list[str]] = {name: [] for name in (*COMPARED, RECORDED_LEDGER, RULED_LEDGER)}
    days: list[date] = []
    for state in period.states:
        document: Mapping[str, Any] = lake.document(state)
        computed = made.get(state.manifest_id)
        for name in COMPARED:
            recorded = replay_frozen.files_of(lake, document, name)
            files[name] += computed.files[name] if computed is not None else recorded
            if computed is not None and name == "ledger":
                files[RECORDED_LEDGER] += recorded
                files[RULED_LEDGER] += computed.files[name]
        if computed is not None:
            days.append(state.day)
    return replace(
        period, files={**period.files, **files}, ruled=days, rule=_version(rule),
        held=list(made.values()),
    )  # fmt: skip


def _version(state: Published) -> tuple[str, int]:
    return state.policy, state.policy_version
