"""``opencost_gates``: the register of OpenCost's known faults, asked of a recorded day.

Belongs here: gathering what was noticed, one line for each entry. Does not: the gates themselves
(``attribution.opencost_gates``), Dagster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay
from attribution_pipeline.orchestration.metadata import Metadata
from attribution_pipeline.views.opencost_gates import (
    COLUMNS,
    TOTALS_COLUMNS,
    VARIANCE_COLUMNS,
    Gate,
    gates,
    lines,
)

if TYPE_CHECKING:
    from pathlib import Path

    from attribution_pipeline.attribution.day import Compute, Plane

FINDING_COLUMNS = ("check", "severity", "subject", "detail")

OPENCOST = "opencost"
"""The kind of its sources."""

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Looked:
    """What the gates show of a recorded day. ``totals``: see ``opencost_gates.what_if``;
    ``variance``: ``opencost_gates.bill.by_type``."""

    gates: Sequence[Gate]
    totals: Sequence[dict[str, Any]] = ()
    variance: Sequence[dict[str, Any]] = ()

    @property
    def noticed(self) -> int:
        """Findings of all entries."""
        return sum(len(gate.findings) for gate in self.gates)


def look(recorded: RecordedDay) -> Looked:
    """Every entry of the register, asked of the day. Raises Refusal where its files changed."""
    said: list[Found] = [*recorded.manifest["output"]["findings"], *_refused(recorded)]
    if not _has_nodes(recorded):
        return Looked(gates(said))
    totals: list[dict[str, Any]] = []
    with recorded.house.lake.staging(recorded.day) as scratch:
        compute = recorded.house.compute(scratch)
        variance, scales = _against_bill(recorded, compute)
        if any(_is_two_priced(found) for found in said):
            totals = _tenant_totals(recorded, scratch, compute)
    return Looked(gates([*said, *scales]), totals, variance)


def opencost_gates(recorded: RecordedDay) -> Answer:
    """None of the known faults of OpenCost's data shows in the day: one line for each, with its
    upstream issues; tenant totals with and without the filter; its cost of node types beside the
    bill."""
    looked = look(recorded)
    limit = recorded.policy.tolerance.findings
    metadata: Metadata = {
        "gates": shown.table(lines(looked.gates), COLUMNS),
        "noticed": looked.noticed,
        "threshold": limit,
    }
    if looked.totals:
        metadata["tenant_totals"] = shown.table(looked.totals, TOTALS_COLUMNS)
    if looked.variance:
        metadata["opencost_against_bill"] = shown.table(looked.variance, VARIANCE_COLUMNS)
    return _answer(looked.gates, metadata, limit)


def _answer(found: Sequence[Gate], metadata: Metadata, limit: int) -> Answer:
    tripped = [gate for gate in found if not gate.passed]
    if not tripped:
        held = sum(bool(gate.item.held_by) for gate in found)
        return Answer(
            True,
            f"None of the {len(found) - held} known faults of OpenCost's data shows; {held} more "
            "are held by design.",
            metadata,
        )
    noticed = [one for gate in tripped for one in gate.findings]
    metadata["findings"] = shown.table(noticed, FINDING_COLUMNS)
    worst = max(tripped, key=lambda gate: gate.is_error)
    first = worst.findings[0]
    return Answer(
        len(noticed) <= limit,
        f"{len(tripped)} of {len(found)} gates noticed something: "
        f"{', '.join(gate.item.name for gate in tripped)}. First {worst.item.name} "
        f"({', '.join(worst.item.issues)}) at {first['subject']}: {first['detail']}. "
        f"{worst.item.remedy}",
        metadata,
    )


def _has_nodes(recorded: RecordedDay) -> bool:
    cluster = recorded.manifest["inputs"].get("cluster", {"rows": {}})
    return bool(cluster["rows"].get("nodes"))


def _is_two_priced(found: Found) -> bool:
    return (found["check"], found["severity"]) == ("duplicate_node_identity", "error")


def _against_bill(
    recorded: RecordedDay, compute: Compute
) -> tuple[list[dict[str, Any]], list[Found]]:
    from attribution_pipeline.attribution.opencost_gates import bill

    billed = bill.against_bill(_planes(recorded), recorded.policy, recorded.day, compute)
    return bill.by_type(billed), [asdict(found) for found in bill.unit_scale(billed)]


def _tenant_totals(recorded: RecordedDay, scratch: Path, compute: Compute) -> list[dict[str, Any]]:
    from attribution_pipeline.attribution.opencost_gates import what_if

    return what_if.tenant_totals(
        _planes(recorded), recorded.files("ledger"), recorded.policy, recorded.day,
        out=scratch, compute=compute,
    )  # fmt: skip


def _planes(recorded: RecordedDay) -> dict[str, Plane]:
    from attribution_pipeline.proof.replay_frozen import planes_of

    return planes_of(recorded.house.lake, recorded.manifest)


def _refused(recorded: RecordedDay) -> list[Found]:
    """OpenCost's objects that were refused whole, by source: an error, or half an answer."""
    from attribution_pipeline.sources.opencost.envelope import REFUSALS

    counts: dict[str, list[str]] = defaultdict(list)
    for (kind, source), reasons in recorded.house.landed.rejected_counts(
        recorded.day, recorded.day
    ).items():
        if kind == OPENCOST:
            counts[source] += [
                f"{records} {reason}" for reason, records in reasons.items() if reason in REFUSALS
            ]
    return [
        {
            "check": "answer_refused",
            "severity": "warn",
            "subject": source,
            "detail": f"objects that are no answer, of whatever day: {', '.join(refused)}",
        }
        for source, refused in counts.items()
        if refused
    ]
