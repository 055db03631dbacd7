"""One tenant, one period, one packet: what goes into it, in which file.

Belongs here: the order, day by day, and the list of files. Does not: records (the modules beside),
the archive (``sealing``).

Everything that a packet says is read from files whose digests were checked first: landed evidence,
planes, the ledger's tables, manifests, policies. A file that was changed is a Refusal naming it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof import replay_frozen
from attribution_pipeline.proof.packet import (
    charges,
    divisions,
    documents,
    evidence,
    names,
    shares,
    summary,
    tables,
)
from attribution_pipeline.proof.packet.hiding import Hider
from attribution_pipeline.proof.packet.trace import traced
from attribution_pipeline.proof.replay import clean_place

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.envelope import KeyRing
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.lake.states import Published

Record = dict[str, Any]


@dataclass(frozen=True)
class Sources:
    """What a packet is made from. ``landed_as_of``: landed evidence up to a landing's number."""

    lake: Lake
    landed_as_of: Callable[[int], LandedView]
    compute_in: Callable[[Path], Compute]
    keys: KeyRing | None = None


@dataclass
class Contents:
    """A packet's files, unpacked, by name; and the statement's words beside their list."""

    tenant: str
    files: dict[str, bytes] = field(default_factory=dict)
    said: Record = field(default_factory=dict)
    key_ids: set[str] = field(default_factory=set)
    days: list[Record] = field(default_factory=list)

    def add(self, name: str, document: Any) -> None:
        """A JSON document."""
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1)
        self.files[name] = text.encode()

    def add_lines(self, name: str, records: Iterable[Record]) -> int:
        """A JSON lines file; how many records it has."""
        lines = [charges.line_of(record) for record in records]
        self.files[f"{name}.jsonl.gz"] = "".join(line + "\n" for line in lines).encode()
        return len(lines)

    def rows(self) -> list[Record]:
        """The tenant's rows of all days."""
        return [
            json.loads(line)
            for day in self.days
            for line in self.files[f"days/{day['day']}/rows.jsonl.gz"].splitlines()
        ]


def build(
    sources: Sources,
    states: Sequence[Published],
    tenant: str,
    *,
    first: date,
    last: date,
    issued_at: datetime,
    hider: Hider | None = None,
) -> Contents:
    """The contents of a packet over ``states``, one a day, oldest first.

    Raises Refusal where a file was changed, where a day does not come out as it was recorded, and
    where the tenant has no row in any of them.
    """
    hider = hider or Hider(tenant)
    contents = Contents(tenant)
    with clean_place() as scratch:
        compute = sources.compute_in(scratch)
        names.of_period(sources.lake, states, hider, compute)
        for state in states:
            _day(sources, state, contents, hider, compute)
        if not any(day["counts"]["rows"] for day in contents.days):
            raise Refusal(
                f"the ledger has no row of tenant {tenant} from {first} to {last}",
                where=str(sources.lake.storage),
                remedy="see which tenants it has: attribution ledger --by tenant_id",
            )
        completeness = documents.completeness(
            sources.lake, states, contents.rows(), metric=contents.days[-1]["policy"]["metric"],
            hider=hider, compute=compute,
        )  # fmt: skip
    landed = sources.landed_as_of(max(state.landed for state in states))
    controls = documents.controls(landed, hider, first, last)
    contents.add_lines("controls", controls)
    said = "as landed" if controls else "none delivered"
    contents.add("controls.json", {"records": len(controls), "said": said})
    contents.add("completeness.json", completeness)
    contents.add("keys.json", documents.public_keys(sources.keys, contents.key_ids))
    about = {
        "tenant": tenant,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "issued_at": issued_at.isoformat(),
        "days_without_a_recorded_state": (last - first).days + 1 - len(states),
        "totals": _totals(contents),
        "days": contents.days,
    }
    contents.add("packet.json", about)
    contents.files["summary.html"] = summary.page(about, contents, completeness).encode()
    contents.said = {
        "tenant": tenant,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "issued_at": issued_at.isoformat(),
        "days": [state.day.isoformat() for state in states],
    }
    return contents


def _day(
    sources: Sources, state: Published, contents: Contents, hider: Hider, compute: Compute
) -> None:
    found = replay_frozen.frozen(sources.lake, state)
    with traced(sources.lake, found, contents.tenant, compute) as trace:
        names.of_day(trace, hider)
        charges.touched(trace)
        folder = f"days/{state.day}"
        counts: dict[str, int] = {}

        def add(table: str, records: list[Record]) -> None:
            counts[table] = contents.add_lines(f"{folder}/{table}", records)

        pods = divisions.Pods(trace, hider)
        rows = tables.rows(trace, hider)
        add("rows", rows)
        add("revisions", tables.revisions(sources.lake, trace, hider))
        add("request_costs", tables.request_costs(sources.lake, trace))
        operations = tables.operations(trace, hider)
        add("operations", operations)
        add("charges", charges.charges(trace, hider))
        add("lines", charges.lines(trace, hider))
        add("usage", charges.usage(trace, hider))
        divided = divisions.meters(trace, hider) + pods.records()
        add("divisions", divided + shares.shares(trace, hider, pods))
        spans = evidence.Spans(trace, sources.landed_as_of(found.manifest["landed"]["ordinal"]))
        add("spans", spans.export(hider))
        envelopes, key_ids = evidence.envelopes(trace, operations, spans)
        add("envelopes", envelopes)
        contents.key_ids |= key_ids
        held = sorted({row["charge_id"] for row in rows} & trace.held)
        day = {
            "day": state.day.isoformat(),
            "state": state.state,
            "recorded_at": state.recorded_at.isoformat(),
            "kernel": state.kernel,
            "held": held,
            "counts": counts,
            "policy": documents.policy(trace, contents.files, hider),
            "manifest": documents.manifest(trace, contents.files, hider, folder),
        }
        contents.add(f"{folder}/day.json", day)
        contents.days.append(day)


def _totals(contents: Contents) -> list[Record]:
    sums: dict[str, list[Decimal]] = {}
    for row in contents.rows():
        found = sums.setdefault(row["billing_currency"], [Decimal(0), Decimal(0)])
        found[0] += Decimal(row["billed_cost"])
        found[1] += Decimal(row["effective_cost"])
    return [
        {"billing_currency": currency, "billed_cost": f"{billed:f}",
         "effective_cost": f"{effective:f}"}
        for currency, (billed, effective) in sorted(sums.items())
    ]  # fmt: skip
