"""Replay: a recorded day, computed again from frozen inputs in a clean place.

Belongs here: the order of the questions, the verdict of a day and of several. Does not: opening
frozen inputs (``replay_frozen``), comparing rows (``replay_rows``), another policy
(``replay_under``).

The questions of a day, in this order; the first that fails is the verdict:

1. Do the day's bill and its recorded rows stand as they were committed, and do they conserve? Where
   they do not conserve: 5. This comes first: books that do not add up are worse than a bad replay.
2. Does everything else that the state was computed from stand, byte for byte: every input, the
   policy's frozen document, the files of the state before, the manifests that chain them? And does
   this build have the kernel? Where not, the named file: 3.
3. Does the engine give every row again, every column of it, amounts within the policy's
   ``tolerance.replay_variance``? And does the manifest say what the rows say? Where not: 4.

Of several days the worst decides, in the order of the statuses: 5, 4, 3, 0.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.lake.manifest import canonical
from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline.proof import replay_frozen
from attribution_pipeline.proof.replay_frozen import Frozen
from attribution_pipeline.proof.replay_rows import KEYS, Compared, Difference, compare

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.day import Compute, Finding, Outcome
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published

REPRODUCED, INPUT_GONE, OTHER_RESULT, NOT_CONSERVED = 0, 3, 4, 5
"""Exit statuses, worst last: see the docstring of the module."""

SAID = {
    REPRODUCED: "reproduced",
    INPUT_GONE: "an input is missing or was changed",
    OTHER_RESULT: "same inputs, other result",
    NOT_CONSERVED: "the recorded day does not conserve",
}

BREACHES_NAMED = 3
"""Breaches of conservation in the verdict's sentence; the rest are counted."""

OUTPUT = ("content_digest", "unheld_digest", "totals", "tie_out")
"""What a manifest says of its rows, and a replay says again."""

ComputeIn = Callable[[Path], "Compute"]
"""The limits of one day's work, spilling into the folder that is given."""


@dataclass(frozen=True)
class DayReplay:
    """The verdict of one day. ``code``: one of the exit statuses; ``detail`` names what is wrong."""

    day: date
    code: int
    detail: str
    state: int
    manifest_id: str
    recorded_at: datetime
    policy: str
    kernel: str
    tolerance: Decimal | None = None
    compared: Compared | None = None
    differences: Sequence[Difference] = ()
    replayed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The files that came out, by table, while their scratch folder stands."""

    @property
    def reproduced(self) -> bool:
        """Whether the day came out as it was recorded."""
        return self.code == REPRODUCED

    @property
    def rows(self) -> int:
        """Recorded rows that were compared, over all tables."""
        return sum(table.recorded for table in self.compared.tables) if self.compared else 0

    def line(self) -> str:
        """The day on one line."""
        under = f"state {self.state}, {self.policy}, kernel {self.kernel}"
        return f"{self.day}  {SAID[self.code]}: {self.detail} ({under})"


def worst(replays: Iterable[DayReplay]) -> int:
    """The exit status of several days: 5 before 4 before 3 before 0."""
    return max((replay.code for replay in replays), default=REPRODUCED)


def replay_day(
    lake: Lake, state: Published, compute_in: ComputeIn, scratch: Path | None = None
) -> DayReplay:
    """Compute ``state`` again and compare it with what was recorded. Writes nothing to the lake.

    ``scratch``: an empty folder to work in, outside the storage; None: one of its own.
    """
    if scratch is not None:
        return _Replay(lake, state, scratch, compute_in).run()
    with clean_place() as folder:
        return _Replay(lake, state, folder, compute_in).run()


def refused(state: Published, problem: Refusal | OSError) -> DayReplay:
    """The verdict where something that a replay stands on was found damaged before it began."""
    return _verdict(state, INPUT_GONE, one_line(problem))


@contextmanager
def clean_place() -> Iterator[Path]:
    """An empty folder in the machine's temporary place ($TMPDIR), removed at the end."""
    with tempfile.TemporaryDirectory(prefix="attribution-replay-") as folder:
        yield Path(folder)


@dataclass
class _Replay:
    lake: Lake
    state: Published
    scratch: Path
    compute_in: ComputeIn
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> DayReplay:
        try:
            self.manifest = self.lake.document(self.state)
            breaches = breaches_of_state(self.lake, self.manifest, self.compute_in(self.scratch))
        except (Refusal, OSError) as problem:
            return _verdict(self.state, INPUT_GONE, one_line(problem))
        if breaches:
            return _verdict(self.state, NOT_CONSERVED, named(breaches))
        try:
            found = replay_frozen.frozen(self.lake, self.state)
            recorded = self._recorded()
            _require_kernel(found)
        except (Refusal, OSError) as problem:
            return _verdict(self.state, INPUT_GONE, one_line(problem))
        try:
            outcome = recompute(found, self.scratch, self.compute_in(self.scratch))
        except (Refusal, Broken) as problem:
            text = f"the engine stops where it once computed rows: {one_line(problem)}"
            return _verdict(self.state, OTHER_RESULT, text)
        return self._compared(found, recorded, outcome)

    def _recorded(self) -> dict[str, list[str]]:
        """The state's own files by table. Revisions stand for all states of the day: only what this
        state added is its own."""
        named = {table: self.manifest["files"].get(table, ()) for table in KEYS}
        before = replay_frozen.document_before(self.lake, self.state, self.manifest)
        older = before["files"].get("ledger_revisions", ()) if before else ()
        named["ledger_revisions"] = [
            entry for entry in named["ledger_revisions"] if entry not in older
        ]
        return {table: replay_frozen.verified(self.lake, found) for table, found in named.items()}

    def _compared(
        self, found: Frozen, recorded: Mapping[str, Sequence[str]], outcome: Outcome
    ) -> DayReplay:
        tolerance = found.policy.tolerance.replay_variance
        compared = compare(
            recorded, outcome.files, schemas(), tolerance, self.compute_in(self.scratch)
        )
        differences = list(compared.differences)
        if compared.exact:
            differences += _of_manifest(self.manifest, outcome)
        code, detail = REPRODUCED, _good(compared)
        if differences:
            count = compared.differing or len(differences)
            noun = "rows differ" if compared.differing else "figures of the manifest differ"
            code, detail = OTHER_RESULT, f"{count:,} {noun}, first {differences[0].line()}"
        verdict = _verdict(self.state, code, detail)
        return replace(
            verdict,
            tolerance=tolerance,
            compared=compared,
            differences=differences,
            replayed=outcome.files,
        )


def _verdict(state: Published, code: int, detail: str) -> DayReplay:
    return DayReplay(
        day=state.day,
        code=code,
        detail=detail,
        state=state.state,
        manifest_id=state.manifest_id,
        recorded_at=state.recorded_at,
        policy=f"policy {state.policy} version {state.policy_version}",
        kernel=state.kernel,
    )


def breaches_of_state(
    lake: Lake, manifest: Mapping[str, Any], compute: Compute
) -> Sequence[Finding]:
    """Breaches of conservation of the committed files, as they stand. Refusal names a changed one."""
    from attribution_pipeline.attribution.invariants import breaches_of_files

    charges = manifest["inputs"]["billing"]["files"]["charges"]
    return breaches_of_files(
        charges=replay_frozen.verified(lake, charges),
        ledger=replay_frozen.files_of(lake, manifest, "ledger"),
        operation_costs=replay_frozen.files_of(lake, manifest, "operation_costs"),
        operations=replay_frozen.files_of(lake, manifest, "operations"),
        variances=replay_frozen.files_of(lake, manifest, "variances"),
        compute=compute,
    )


def recompute(found: Frozen, out: Path, compute: Compute) -> Outcome:
    """The day as it was computed: inputs, policy, times and the state before are the recorded ones."""
    from attribution_pipeline.attribution.reconcile import reconcile

    return reconcile(
        found.planes,
        found.policy,
        found.state.day,
        policy_digest=found.manifest["policy"]["digest"],
        recorded_at=found.recorded_at,
        run_id=found.manifest["run_id"],
        forced=found.manifest["forced"],
        previous=found.previous,
        out=out,
        compute=compute,
    )


def schemas() -> dict[str, pa.Schema]:
    """Published tables that a replay makes again, by name."""
    from attribution_pipeline.lake.shapes import schema_of

    return {table: schema_of(table) for table in KEYS}


def _require_kernel(found: Frozen) -> None:
    kernel = found.manifest["kernel"]
    if kernel != KERNEL:
        raise Refusal(
            f"{found.state.day} was computed by kernel {kernel}, and this build has kernel {KERNEL}",
            where=f"the manifest of state {found.state.state}",
            remedy=f"replay it with a release that has kernel {kernel}",
        )


def _of_manifest(manifest: Mapping[str, Any], outcome: Outcome) -> list[Difference]:
    """Figures that a manifest says of its rows and that these rows do not say."""
    said = manifest["output"]
    now: dict[str, Any] = {
        "content_digest": outcome.content_digest,
        "unheld_digest": outcome.unheld_digest,
        "totals": [dict(row) for row in outcome.totals],
        "tie_out": outcome.tie_out.to_pylist(),
    }
    pairs = {name: (canonical(said.get(name)), canonical(now[name])) for name in OUTPUT}
    return [
        Difference("manifests", str(manifest["charge_date"]), name, recorded, replayed)
        for name, (recorded, replayed) in pairs.items()
        if recorded != replayed
    ]


def _good(compared: Compared) -> str:
    rows = sum(table.recorded for table in compared.tables)
    tolerated = sum(table.tolerated for table in compared.tables)
    if tolerated:
        return f"{rows:,} rows, of which {tolerated:,} differ within the tolerance"
    return f"{rows:,} rows, every column, to the quantum"


def named(breaches: Sequence[Finding]) -> str:
    """Breaches in a sentence: how many, and the first."""
    named = "; ".join(f"{b.check} {b.subject}: {b.detail}" for b in breaches[:BREACHES_NAMED])
    return f"{len(breaches)} breaches, first {named}"


def one_line(problem: BaseException) -> str:
    """What stopped a replay, with the file that it names."""
    match problem:
        case Refusal():
            return problem.line()
        case OSError(filename=str() as name):
            return f"{name}: {(problem.strerror or str(problem)).lower()}"
        case _:
            return " ".join(str(problem).split())
