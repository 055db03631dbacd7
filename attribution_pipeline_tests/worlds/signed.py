"""Worlds in which calls are named by others: ancestors, links, runs, envelopes good and bad.

Belongs here: more spans, a bill's principals and a policy with issuers for a made-up world. Does not: who really caused
what (the oracle's business).
"""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import pairwise
from typing import Any

from attribution_pipeline.envelope import Claims, Key, KeyRing, issue
from attribution_pipeline.model.policy.join import Issuer
from attribution_pipeline_tests.worlds.dice import Dice
from attribution_pipeline_tests.worlds.names import TENANTS, WORKFLOWS, landed
from attribution_pipeline_tests.worlds.world import World

Span = dict[str, Any]

NS = 10**9
LIFE = 3600
SERVICES = ("gateway", "gateway", "app", "worker", None)
RUNGS = ["attributes", "ancestor", "link", "run", "workload", "resource_tag"]
SAID = (
    "tenant_id", "workflow_id", "attributes", "service_name", "parent_span_id", "links", "envelope",
    "attempt", "run_id", "parent_issuance_id",
)  # fmt: skip
"""What is changed of a span."""
NAMED = [tenant for tenant in TENANTS if tenant.isascii()]
"""Tenants that an envelope can name."""


def key(number: int, **said: Any) -> Key:
    return Key(
        key_id=f"gw-{number}", algorithm="hmac-sha256", secret=bytes([number]) * 32, **said
    )  # fmt: skip


def signed(there: World) -> World:
    """The same world, its calls named in every way that there is. The same for a seed everywhere."""
    dice = Dice(there.seed + 7919)
    spans = [dict(span) for span in there.evidence.spans]
    made = _Made(dice, spans)
    once = {(span["trace_id"], span["span_id"]): span for span in spans}
    for trace in sorted({trace for trace, _ in once}):
        made.surround(trace, [span for name, span in once.items() if name[0] == trace])
    for span in spans:  # what came twice says the same twice
        span |= {name: once[span["trace_id"], span["span_id"]][name] for name in SAID}
    found = spans + made.more
    dice.shuffle(found)
    ladder = RUNGS if dice.chance(0.4) else dice.sample(RUNGS, k=dice.randint(1, len(RUNGS)))
    issuers = []
    if dice.chance(0.7):
        issuers = [
            Issuer(
                services=dice.pick((["gateway"], ["gate*", "worker"])),
                keys=dice.pick((["gw-*"], ["gw-1"])),
                tenants=dice.pick((["*"], [*NAMED[:2]])),
            )
        ]
    policy = there.policy.model_copy(
        update={
            "issuers": issuers,
            "join": there.policy.join.model_copy(update={"identity": ladder}),
        }
    )
    return replace(
        there,
        policy=policy,
        evidence=replace(
            there.evidence,
            spans=[span | {"position": n} for n, span in enumerate(found, start=1)],
            billing=[
                line | {"PrincipalId": dice.pick((None, None, "arn:role/app", "arn:role/batch"))}
                for line in there.evidence.billing
            ],
            keys=KeyRing([key(1), key(2), key(3, revoked_from=0), key(4, tenants=("acme",))]),
        ),
    )


class _Made:
    """Spans around calls. ``more``: those that are no calls."""

    def __init__(self, dice: Dice, calls: list[Span]) -> None:
        self.dice = dice
        self.more: list[Span] = []
        self.elsewhere: list[Span] = []
        self.runs = [f"run-{n}" for n in range(max(1, len(calls) // 4))]
        self.tokens: list[str] = []
        self.issuances = 0

    def surround(self, trace: str, calls: list[Span]) -> None:
        dice = self.dice
        how = dice.pick(("as it was", "above", "above", "link", "link", "run", "own", "own"))
        if how == "as it was":
            return
        for call in calls:
            call["service_name"] = dice.pick(SERVICES)
            if how != "own" or dice.chance(0.7):
                call["tenant_id"] = None
                call["attributes"] = None
        start = min(call["start_unix_nano"] for call in calls)
        # as long as the calls: what ended a day before them is not around them
        top = self._chain(trace, start, max(call["end_unix_nano"] for call in calls))
        for call in calls:
            if dice.chance(0.8):
                call["parent_span_id"] = top["span_id"]
            if how == "own":
                self._sign(call, start)
            if how == "run":
                call["run_id"] = dice.pick(self.runs)
        if how == "link":
            linking = dice.pick([top, *calls])
            others = dice.sample(self.elsewhere, k=min(len(self.elsewhere), dice.randint(1, 2)))
            linking["links"] = " ".join(f"{s['trace_id']}:{s['span_id']}" for s in others) or None
        else:
            self._name(dice.pick([top, *self.more[-3:]]), start)

    def _chain(self, trace: str, start: int, end: int) -> Span:
        """One to three spans, each the parent of the one before; the nearest of them."""
        dice = self.dice
        chain = [self._span(trace, start - n, end) for n in range(dice.randint(1, 3))]
        for below, above in pairwise(chain):
            below["parent_span_id"] = above["span_id"]
        if dice.chance(0.05):
            chain[-1]["parent_span_id"] = chain[0]["span_id"]  # a ring
        if dice.chance(0.5):
            self._name(dice.pick(chain), start)
        self.more += chain
        self.elsewhere += chain
        return chain[0]

    def _span(self, trace: str, start: int, end: int) -> Span:
        return landed(
            "spans", "traces", trace_id=trace, span_id=f"{self.dice.randrange(1, 2**60):016x}",
            span_name="step", kind=1, start_unix_nano=start, end_unix_nano=end,
            service_name=self.dice.pick(SERVICES), is_call=False, metered=False,
        )  # fmt: skip

    def _name(self, span: Span, start: int) -> None:
        """By attributes, an envelope, a run, or a parent issuance."""
        dice = self.dice
        how = dice.pick(("attributes", "attributes", "envelope", "run", "parent"))
        if how == "envelope":
            self._sign(span, start)
        if how == "parent":
            span["parent_issuance_id"] = f"issuance-{dice.randint(0, max(1, self.issuances))}"
        if how in ("attributes", "run"):
            span["tenant_id"] = dice.pick(TENANTS)
            span["workflow_id"] = dice.pick(WORKFLOWS)
        if how == "run":
            span["run_id"] = dice.pick(self.runs)

    def _sign(self, span: Span, start: int) -> None:
        dice = self.dice
        if self.tokens and dice.chance(0.25):
            token = dice.pick(self.tokens)  # a retry, or a copy
            span["attempt"] = dice.pick((None, None, 2, 3))
        else:
            token = self._token(start)
            self.tokens.append(token)
        span["envelope"] = spoilt(token, dice) if dice.chance(0.15) else token

    def _token(self, start: int) -> str:
        dice = self.dice
        if self.issuances == 0 or not dice.chance(0.1):
            self.issuances += 1
        issued_at = start // NS - dice.pick((0, 10, LIFE - 1, 2 * LIFE))
        claims = Claims(
            tenant_id=dice.pick(NAMED), originator_id="alice",
            workflow_id=dice.pick(WORKFLOWS) or "none", operation_id="operation",
            issuance_id=f"issuance-{self.issuances}", issued_at=issued_at,
            expires_at=issued_at + LIFE, audience="here", feature=dice.pick((None, "chat")),
        )  # fmt: skip
        # 3 was revoked, 5 is known to nobody; 4 is for one tenant
        return issue(claims, key(dice.pick((1, 1, 1, 1, 2, 3, 4, 5))))


def spoilt(token: str, dice: Dice) -> str:
    """The token with one bit of one byte of what it holds changed, in payload or signature."""
    head, *parts = token.split(".")
    n = dice.randrange(len(parts))
    content = bytearray(base64.urlsafe_b64decode(parts[n] + "=" * (-len(parts[n]) % 4)))
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    parts[n] = base64.urlsafe_b64encode(bytes(content)).rstrip(b"=").decode()
    return ".".join([head, *parts])
