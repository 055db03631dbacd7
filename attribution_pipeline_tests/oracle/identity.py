"""Who caused a call, on whose word (page 20, "Identity"), one call and one span at a time.

Belongs here: what a span says by itself, the rungs of the ladder, the label of a dedicated workload.
Does not: which spans tell of a call (``twins``), cryptography.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from attribution_pipeline.envelope import Claims, KeyRing, verify_issuance
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.policy import Policy
from attribution_pipeline_tests.oracle.patterns import fits
from attribution_pipeline_tests.oracle.words import NOBODY, Operation, Record, Who

TENANT = WHO.index("tenant_id")
SIGNED = ("tenant_id", "consumer_id", "project", "workflow_id", "task", "feature", "environment")
NS = 10**9

Name = tuple[str, str]
"""(trace, span)."""


class Word(NamedTuple):
    """What one span says. ``good``: it is believed. ``empty``: it names nobody, and had to sign."""

    good: bool
    by_envelope: bool
    verdict: str
    who: Who
    empty: bool = False


class Answer(NamedTuple):
    """What the ladder came to."""

    who: Who
    source: str
    verdict: str
    unverified: bool = False


class Ladder:
    """The ladder over all spans around a day. ``spans``: every one by (trace, span), once."""

    def __init__(self, spans: Mapping[Name, Record], policy: Policy, keys: KeyRing) -> None:
        self.spans = spans
        self.policy = policy
        self.tokens = {
            token: verify_issuance(token, keys)
            for token in {span["envelope"] for span in spans.values()} - {None}
        }
        self.signed: dict[str, set[Claims]] = defaultdict(set)
        for found in self.tokens.values():
            if found.claims is not None:
                self.signed[found.claims.issuance_id].add(found.claims)
        self.replayed = {issuance for issuance in self.signed if self._is_replayed(issuance)}

    # -- one issuance ------------------------------------------------------------------------------

    def _is_replayed(self, issuance: str) -> bool:
        """Whether its traces fall apart: joined by links among themselves, or by attempt numbers."""
        attempts: dict[str, list[int]] = defaultdict(list)
        for span in self.spans.values():
            found = self.tokens.get(span["envelope"] or "")
            if found and found.claims and found.claims.issuance_id == issuance:
                attempts[span["trace_id"]] += [span["attempt"]] if span["attempt"] else []
        traces = sorted(attempts)
        number = {trace: min(said, default=None) for trace, said in attempts.items()}
        pairs = [
            (span["trace_id"], target)
            for span in self.spans.values()
            for target, _ in _links(span)
            if span["trace_id"] in attempts and target in attempts
        ]
        first = min(traces, key=lambda trace: (number[trace] or 1, trace), default="")
        for trace in traces:
            same = [other for other in traces if number[other] == number[trace]]
            if (number[trace] or 1) > 1 and same == [trace]:
                pairs.append((trace, first))
        together = {first}
        for _ in traces:
            for one, other in pairs:
                if {one, other} & together:
                    together |= {one, other}
        return together != set(traces) and bool(traces)

    # -- one span ----------------------------------------------------------------------------------

    def must_sign(self, span: Record) -> bool:
        return bool(self._issuers(span["service_name"]))

    def _issuers(self, service: str | None) -> list[Any]:
        return [
            issuer
            for issuer in self.policy.issuers
            if service is not None and any(fits(pattern, service) for pattern in issuer.services)
        ]

    def may_sign(self, service: str | None, key_id: str | None, tenant: str) -> bool:
        """Whether a service that must sign may do it with this key, for this tenant."""
        own = self.policy.join.tenant_aliases.get(tenant, tenant)
        return any(
            any(fits(pattern, key_id) for pattern in issuer.keys)
            and any(fits(pattern, own) for pattern in issuer.tenants)
            for issuer in self._issuers(service)
        )

    def word(self, span: Record) -> Word | None:
        """What it says; None where it says nothing and need not."""
        said = self._attributes(span)
        if span["envelope"] is None:
            named = said[TENANT] is not None
            if self.must_sign(span):
                return Word(False, False, "unsigned", NOBODY, empty=not named)
            return Word(True, False, "unsigned", said) if named else None
        found = self.tokens[span["envelope"]]
        verdict, claims = str(found.verdict), found.claims
        if claims is not None:
            if len(self.signed[claims.issuance_id]) > 1:
                verdict = "conflict"
            elif claims.issuance_id in self.replayed:
                verdict = "replayed"
            elif span["start_unix_nano"] > claims.expires_at * NS:
                verdict = "expired"
            elif self.must_sign(span) and not self.may_sign(
                span["service_name"], found.key_id, claims.tenant_id
            ):
                verdict = "unknown_key"
        if verdict != "verified":
            return Word(False, True, verdict, NOBODY)
        assert claims is not None
        who = [getattr(claims, c) if c in SIGNED else said[n] for n, c in enumerate(WHO)]
        return Word(True, True, verdict, self._under_own_name(who))

    def _attributes(self, span: Record) -> Who:
        return self._under_own_name([self._said(span, column) for column in WHO])

    def _said(self, span: Record, column: str) -> str | None:
        """A column, else the first of the policy's aliases for it that the span's attributes hold."""
        value = span[column]
        attributes = json.loads(span["attributes"] or "{}")
        for alias in self.policy.join.attributes.get(column, []):
            if value is None:
                value = attributes.get(alias)
        return None if value is None else str(value)

    def _under_own_name(self, who: Sequence[str | None]) -> Who:
        tenant = who[TENANT]
        if tenant is None:
            return tuple(who)
        own = self.policy.join.tenant_aliases.get(tenant, tenant)
        return (*who[:TENANT], own, *who[TENANT + 1 :])

    # -- one call ----------------------------------------------------------------------------------

    def answer(self, ranked: Sequence[Record]) -> Answer:
        """Of a call, by its spans, the best first."""
        own = self._own(ranked)
        if own is not None:
            return own
        rungs = {"ancestor": self._ancestor, "link": self._link, "run": self._run}
        for rung in self.policy.join.identity:
            words = rungs[rung](ranked) if rung in rungs else []
            if any(not word.good for word in words):
                verdict = min(word.verdict for word in words if not word.good)
                return Answer(NOBODY, rung, verdict, unverified=True)
            if len({word.who[TENANT] for word in words}) == 1:
                verdicts = {word.verdict for word in words}
                verdict = verdicts.pop() if len(verdicts) == 1 else "unsigned"
                return Answer(_agreed([word.who for word in words]), rung, verdict)
        silent = list(self._attributes(ranked[0]))
        silent[TENANT] = None
        return Answer(tuple(silent), "unknown", "unsigned")

    def _own(self, ranked: Sequence[Record]) -> Answer | None:
        words = [(span, word) for span in ranked if (word := self.word(span)) is not None]
        signers_first = sorted(words, key=lambda pair: not self.must_sign(pair[0]))
        for span, word in signers_first:
            if word.good and word.by_envelope:
                found = self.tokens[span["envelope"]]
                assert found.claims is not None
                tenant = found.claims.tenant_id
                if all(
                    self.may_sign(other["service_name"], found.key_id, tenant)
                    for other in ranked
                    if self.must_sign(other)
                ):
                    return Answer(word.who, "envelope", word.verdict)
                return Answer(NOBODY, "envelope", "unknown_key", unverified=True)
        for _, word in signers_first:
            if not word.good:
                return Answer(NOBODY, "envelope", word.verdict, unverified=True)
        if "attributes" in self.policy.join.identity:
            for _, word in words:
                return Answer(word.who, "attributes", word.verdict)
        return None

    def _up(self, span: Record) -> Iterable[Record]:
        """The span and its ancestors, nearest first."""
        seen: set[Name] = set()
        at: Record | None = span
        while at is not None and (at["trace_id"], at["span_id"]) not in seen:
            seen.add((at["trace_id"], at["span_id"]))
            yield at
            at = self.spans.get((at["trace_id"], at["parent_span_id"]))

    def _ancestor(self, ranked: Sequence[Record]) -> list[Word]:
        found = []
        for place, span in enumerate(ranked):
            for level, above in enumerate(self._up(span)):
                word = self.word(above)
                if level and word is not None:
                    worth = 0 if word.good and word.by_envelope else 1 if not word.good else 2
                    order = (level, worth, not self.must_sign(above), place)
                    found.append((order, above["trace_id"], above["span_id"], word))
                    break
        return [min(found)[-1]] if found else []

    def _link(self, ranked: Sequence[Record]) -> list[Word]:
        parent = self._nearest(ranked, "parent_issuance_id")
        if parent is not None:
            span, issuance = parent
            claims = self.signed.get(issuance, set())
            if len(claims) == 1 and issuance not in self.replayed:
                (one,) = claims
                if span["start_unix_nano"] <= one.expires_at * NS:
                    who = [getattr(one, c) if c in SIGNED else None for c in WHO]
                    return [Word(True, True, "verified", self._under_own_name(who))]
        at, followed = list(ranked), set[Name]()
        while True:
            targets = sorted(set(self._targets(at)) - followed)
            followed |= set(targets)
            if not targets:
                return []
            at = [self.spans[target] for target in targets if target in self.spans]
            words = [self._first_word(span) for span in at]
            if any(words):
                return [word for word in words if word is not None]

    def _first_word(self, span: Record) -> Word | None:
        return next((word for s in self._up(span) if (word := self.word(s)) is not None), None)

    def _targets(self, starts: Sequence[Record]) -> list[Name]:
        """Where the nearest linking spans at or above ``starts`` point to."""
        by_level: dict[int, list[Name]] = defaultdict(list)
        for span in starts:
            for level, above in enumerate(self._up(span)):
                by_level[level] += _links(above)
        levels = [level for level, links in by_level.items() if links]
        return by_level[min(levels)] if levels else []

    def _run(self, ranked: Sequence[Record]) -> list[Word]:
        nearest = self._nearest(ranked, "run_id")
        if nearest is None:
            return []
        words = [
            self.word(span) for span in self.spans.values()
            if self._said(span, "run_id") == nearest[1]
        ]  # fmt: skip
        return [word for word in words if word is not None and not word.empty]

    def _nearest(self, ranked: Sequence[Record], column: str) -> tuple[Record, str] | None:
        found = []
        for place, span in enumerate(ranked):
            for level, above in enumerate(self._up(span)):
                value = self._said(above, column)
                if value is not None:
                    found.append((level, place, above["trace_id"], above["span_id"], value))
        if not found:
            return None
        _, _, trace, span_id, value = min(found)
        return self.spans[trace, span_id], value


def named_by_workload(operation: Operation, tenant: str | None, ladder: Sequence[str]) -> Operation:
    """A call of a dedicated workload, where nobody that the ladder asks before named its tenant."""
    if tenant is None or "workload" not in ladder or operation.unverified:
        return operation
    before = ladder[: ladder.index("workload")]
    if operation.source in ("envelope", *before):
        return operation
    who = tuple(tenant if n == TENANT else None for n in range(len(WHO)))
    return replace(operation, who=who, source="workload", verdict="unsigned")


def _links(span: Record) -> list[Name]:
    pairs = (link.split(":") for link in (span["links"] or "").split())
    return [(trace, span_id) for trace, span_id in pairs]


def _agreed(whos: Sequence[Who]) -> Who:
    return tuple(values[0] if len(set(values)) == 1 else None for values in zip(*whos, strict=True))
