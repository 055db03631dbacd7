"""A recorded day under a policy version of choice: a comparison, never a change.

Belongs here: which evidence and which rule a comparison is of, its rows, its sums per tenant. Does
not: replaying a state as it was recorded (``replay``), what is landed today (``orchestration``).

Two questions, told apart in everything that is shown:

- *Version V on the evidence that a state was computed from.* Where V is the version of that state,
  the answer is what was published then, and that is checked: every row, every column.
- *Version V on today's evidence.*

Where V is not the version of the state, rows are the pure function of evidence and policy: nothing
is held for a closed period, and no row stays at zero because an older state had it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.engine import session
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof import replay, replay_frozen
from attribution_pipeline.proof.passes import sql
from attribution_pipeline.proof.replay import (
    INPUT_GONE,
    NOT_CONSERVED,
    REPRODUCED,
    SAID,
    ComputeIn,
    DayReplay,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.day import Compute, Plane
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy

FILE = "comparison-{day}.parquet"
TENANTS_FILE = "tenants.parquet"


@dataclass(frozen=True)
class Evidence:
    """What a comparison is computed from. ``said``: in words, for people. ``planes`` None: the
    evidence of the state itself, by the version of that state."""

    said: str
    planes: Mapping[str, Plane] | None


@dataclass(frozen=True)
class DayComparison:
    """One day under another version. ``code``: an exit status of a replay. ``file``: the rows."""

    day: date
    code: int
    detail: str
    recorded: str
    replayed: str
    evidence: str
    file: Path | None = None

    def line(self) -> str:
        """The day on one line."""
        return f"{self.day}  {self.replayed} on {self.evidence}, against {self.recorded}: {self.detail}"


def compare_under(
    lake: Lake,
    state: Published,
    policy: Policy,
    evidence: Evidence,
    out: Path,
    compute_in: ComputeIn,
) -> DayComparison:
    """Compute the day of ``state`` under ``policy`` and write its rows beside the recorded ones to
    ``out``. Raises Refusal where the policy cannot be used on this evidence."""
    with replay.clean_place() as scratch:
        if evidence.planes is None:
            again = replay.replay_day(lake, state, compute_in, scratch)
            if not again.replayed:
                return _answer(state, policy, evidence, again.code, _words(again))
            return _write(lake, state, policy, evidence, again.replayed["ledger"], out,
                          compute_in(scratch), again)  # fmt: skip
        stopped = _unusable(lake, state, compute_in(scratch))
        if stopped is not None:
            return _answer(state, policy, evidence, *stopped)
        ledger = _computed(state, policy, evidence.planes, scratch, compute_in(scratch))
        return _write(lake, state, policy, evidence, ledger, out, compute_in(scratch))


def without_evidence(
    state: Published, policy: Policy, said: str, problem: Refusal | OSError
) -> DayComparison:
    """A day whose evidence is not there to be computed from; ``problem`` names the file."""
    detail = f"{SAID[INPUT_GONE]}: {replay.one_line(problem)}"
    return _answer(state, policy, Evidence(said, None), INPUT_GONE, detail)


def by_tenant(files: Sequence[Path], compute: Compute) -> pa.Table:
    """Compared rows added up. Grain: tenant and currency; without a tenant, by reason."""
    with session(compute) as db:
        db.view("compared", [str(path) for path in files])
        return db.table(sql("comparison_by_tenant"))


def _unusable(lake: Lake, state: Published, compute: Compute) -> tuple[int, str] | None:
    """Why the recorded side can't be compared with."""
    try:
        breaches = replay.breaches_of_state(lake, lake.document(state), compute)
    except (Refusal, OSError) as problem:
        return INPUT_GONE, f"{SAID[INPUT_GONE]}: {replay.one_line(problem)}"
    if breaches:
        return NOT_CONSERVED, f"{SAID[NOT_CONSERVED]}: {replay.named(breaches)}"
    return None


def _computed(
    state: Published, policy: Policy, planes: Mapping[str, Plane], scratch: Path, compute: Compute
) -> Sequence[str]:
    from attribution_pipeline.attribution.reconcile import reconcile

    try:
        outcome = reconcile(
            planes,
            policy,
            state.day,
            policy_digest=policy.digest,
            recorded_at=state.recorded_at,
            previous=None,
            out=scratch,
            compute=compute,
        )
    except Refusal as refusal:
        raise Refusal(
            f"{state.day} under version {policy.version}: {refusal.what}",
            where=refusal.where,
            remedy=refusal.remedy,
        ) from refusal
    return outcome.files["ledger"]


def _write(
    lake: Lake,
    state: Published,
    policy: Policy,
    evidence: Evidence,
    ledger: Sequence[str],
    out: Path,
    compute: Compute,
    again: DayReplay | None = None,
) -> DayComparison:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with session(compute) as db:
        db.view("recorded_ledger", replay_frozen.files_of(lake, lake.document(state), "ledger"))
        db.view("replayed_ledger", ledger)
        rows = db.table(
            sql("comparison").format(
                day=state.day.isoformat(),
                recorded_version=state.policy_version,
                replayed_version=policy.version,
            )
        )
    said = {
        "recorded": _recorded(state),
        "recorded_manifest": state.manifest_id,
        "replayed": _version(policy),
        "replayed_policy_digest": policy.digest,
        "evidence": evidence.said,
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / FILE.format(day=state.day.isoformat())
    part = path.with_name(f".{path.name}.part")
    pq.write_table(rows.replace_schema_metadata(said), part, compression="zstd")
    part.replace(path)
    moved = [pc.not_equal(rows[name], pa.scalar(0, rows[name].type)) for name in DELTAS]
    count = pc.sum(pc.or_(*moved)).as_py() or 0
    detail = f"{count:,} of {rows.num_rows:,} rows have another amount"
    if again is not None:
        detail = _words(again)
    code = again.code if again is not None else REPRODUCED
    return _answer(state, policy, evidence, code, detail, path)


DELTAS = ("delta_billed_cost", "delta_effective_cost")


def _answer(
    state: Published,
    policy: Policy,
    evidence: Evidence,
    code: int,
    detail: str,
    file: Path | None = None,
) -> DayComparison:
    return DayComparison(
        state.day, code, detail, _recorded(state), _version(policy), evidence.said, file
    )


def _words(again: DayReplay) -> str:
    if again.reproduced and again.compared and again.compared.exact:
        return f"what was published then ({again.detail})"
    return f"{SAID[again.code]}: {again.detail}"


def _recorded(state: Published) -> str:
    return (
        f"state {state.state} under version {state.policy_version}, "
        f"published {state.published_at.isoformat(timespec='seconds')}"
    )


def _version(policy: Policy) -> str:
    return f"{policy.policy} version {policy.version}"
