"""P2: who caused the work is stamped at issuance and stays the same through every attempt.

Belongs here: retry chains, what each attempt says, the first field that is missing or changes. Does
not: whose cost it is (``attribution.identity``), signatures (``envelope``).

A chain is the billed calls that share an issuance, or whose lineage (``attribution.parent_issuance_id``,
a span link, siblings of a call that says it is a retry) joins them. An attempt says a field in its
envelope, in its own attributes, or by what its trace handed down to it; all that is said in a chain
must be one value. So an executor that labels a retry with its own tenant is found, even where the
envelope won and nobody was charged wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from attribution_pipeline.proof.ratio import NO_EVIDENCE
from attribution_pipeline.proof.score.verdict import Rows, Verdict
from attribution_pipeline.proof.triage.asked import Asked, read

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.model.policy import Policy

QUESTION, TITLE = "P2", "identity"

STAMPED = ("tenant_id", "originator_id", "workflow_id", "operation_id")
"""What must be stamped at issuance (design page 40, P2)."""

REBOUND, NOT_STAMPED, NOT_VERIFIED = "identity_rebound", "not_stamped", "not_verified"

BELIEVED = ("verified", "unsigned")
"""Verdicts under which what a call says of itself counts."""

COLUMNS = {
    "trace_id": "varchar", "span_id": "varchar", "parent_span_id": "varchar", "links": "varchar",
    "service_name": "varchar", "start_unix_nano": "bigint", "end_unix_nano": "bigint",
    "is_call": "boolean", "envelope": "varchar", "tenant_id": "varchar",
    "originator_id": "varchar", "workflow_id": "varchar", "operation_id": "varchar",
    "issuance_id": "varchar", "parent_issuance_id": "varchar",
}  # fmt: skip

SHOWN = ("chain", "trace_id", "span_id", "service_name", "attempt", "issuance_id", "verdict",
         "identity_source", *STAMPED)  # fmt: skip


@dataclass(frozen=True)
class Chain:
    """One chain, its attempts in order, each with the values that it says of ``STAMPED``."""

    name: str
    attempts: Sequence[Mapping[str, Any]]
    said: Sequence[Mapping[str, frozenset[str]]]

    @property
    def has_retry(self) -> bool:
        """Whether a call in it is a retry by what it says, or it goes through several traces; the
        rest are operations of several calls, under one issuance."""
        later = any((attempt["attempt"] or 1) >= 2 for attempt in self.attempts)
        return later or len({attempt["trace_id"] for attempt in self.attempts}) > 1

    @property
    def fault(self) -> tuple[str, str] | None:
        """Reason and sentence of the first thing that is wrong; None where identity is preserved."""
        for attempt in self.attempts:
            if attempt["unverified"] or attempt["verdict"] not in BELIEVED:
                reason = REBOUND if attempt["verdict"] == "conflict" else NOT_VERIFIED
                why = f"is not believed: its envelope is {attempt['verdict']}"
                return reason, f"{self._at(attempt)} {why}"
        for field in STAMPED:
            first: str | None = None
            for attempt, said in zip(self.attempts, self.said, strict=True):
                for value in sorted(said[field]):
                    first = value if first is None else first
                    if value != first:
                        return (
                            REBOUND,
                            f"{self._at(attempt)} says {field} {value}, where the chain began with "
                            f"{first}",
                        )
        for field in STAMPED:
            for attempt, said in zip(self.attempts, self.said, strict=True):
                if not said[field]:
                    return NOT_STAMPED, f"{self._at(attempt)} says no {field}"
        return None

    def _at(self, attempt: Mapping[str, Any]) -> str:
        number = f", attempt {attempt['attempt']}" if attempt["attempt"] is not None else ""
        return (
            f"trace {attempt['trace_id']} span {attempt['span_id']} "
            f"({attempt['service_name'] or 'no service name'}{number})"
        )

    def rows(self) -> Iterable[dict[str, Any]]:
        """Its attempts, with the values that each says."""
        for attempt, said in zip(self.attempts, self.said, strict=True):
            values = {field: " and ".join(sorted(said[field])) or None for field in STAMPED}
            yield {name: values.get(name, attempt.get(name)) for name in SHOWN}


def judge(asked: Asked) -> list[Verdict]:
    """One verdict over the sampled chains."""
    sample = asked.policy.slo.retry_chain_sample
    with asked.session(asked.days, "operations") as db:
        asked.open_landed(db, "spans", COLUMNS, days=True)
        chains, count = _chains(db, asked.policy, sample)
    faults = [(chain, fault) for chain in chains if (fault := chain.fault) is not None]
    kept = len(chains) - len(faults)
    retries = sum(chain.has_retry for chain in chains)
    reason = ""
    detail = (
        f"identity is stamped and unchanged in all {kept} chains that were looked at, {retries} of "
        "them with a retry"
    )
    if not chains:
        reason = NO_EVIDENCE
        detail = (
            f"{NO_EVIDENCE}: no retry chain was seen. Carry the envelope, or attribution.attempt and "
            "attribution.operation_id, through queues and retries."
        )
    elif faults:
        # a changed identity before one that was never there: it can charge the wrong tenant
        chain, (reason, said) = min(faults, key=lambda found: found[1][0] != REBOUND)
        detail = (
            f"{len(faults)} of {len(chains)} chains do not keep the identity of their issuance; "
            f"{chain.name}: {said}. Hand the envelope on unchanged; an executor never writes its own."
        )
    verdict = Verdict(
        QUESTION, TITLE, None, not reason,
        number=f"{kept} of {len(chains)}",
        threshold=f"all of slo.retry_chain_sample {sample}; there are {count:,} chains",
        detail=detail,
        query=_query(sample),
        rows=Rows.of(
            row for chain in ([chain for chain, _ in faults] or chains) for row in chain.rows()
        ),
        reason=reason,
    )  # fmt: skip
    return [verdict]


def _query(sample: int) -> str:
    parts = (
        read("attempts"),
        f"-- roots: parts joined by this, followed to its end\n{read('lineage')}",
        f"-- chosen:\n{read('chains', sample=str(sample))}",
        read("chain_attempts"),
        read("chain_envelopes"),
    )
    return ";\n\n".join(part.rstrip() for part in parts)


def _chains(db: Session, policy: Policy, sample: int) -> tuple[list[Chain], int]:
    """The chosen chains, and how many there are."""
    import pyarrow as pa

    db.execute(read("attempts"))
    roots = rooted(db.rows(read("lineage")))
    db.load(
        "roots",
        pa.table(
            {
                "part": pa.array(list(roots), pa.string()),
                "chain": pa.array(list(roots.values()), pa.string()),
            }
        ),
    )
    db.load("chosen", db.table(read("chains", sample=str(sample))))
    count = db.one("select coalesce(max(all_chains), 0) from chosen")
    db.execute(read("chain_attempts"))
    rows = db.table(read("chain_envelopes")).to_pylist()
    chains = []
    for name, found in groupby(rows, key=lambda row: row["chain"]):
        attempts = list(found)
        chains.append(Chain(name, attempts, [_said(one, policy) for one in attempts]))
    return chains, int(count)


def rooted(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Part -> the least part that it is joined to, over any number of pairs."""
    above: dict[str, str] = {}

    def root(part: str) -> str:
        while (up := above.setdefault(part, part)) != part:
            above[part] = above[up]  # halve the way for who comes next
            part = up
        return part

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        above[high] = low
    return {part: root(part) for part in list(above)}


def _said(attempt: Mapping[str, Any], policy: Policy) -> dict[str, frozenset[str]]:
    """The values of each field that an attempt says, by whatever carrier. An envelope that does not
    verify says nothing."""
    claims = _claims(attempt["envelope"]) if attempt["verdict"] == "verified" else {}
    found: dict[str, frozenset[str]] = {}
    for field in STAMPED:
        values = {attempt[field], claims.get(field), attempt.get(f"resolved_{field}")} - {None, ""}
        if field == "tenant_id":
            values = {policy.tenant_alias(str(value)) for value in values}
        found[field] = frozenset(str(value) for value in values)
    return found


def _claims(envelope: str | None) -> dict[str, str]:
    """What a token says; nothing where it can't be read. Its signature was judged when the day was
    computed: no key is needed here."""
    from attribution_pipeline.envelope import KeyRing, verify_issuance

    named = verify_issuance(envelope, KeyRing()).named
    return {} if named is None else {field: getattr(named, field) for field in STAMPED}
