"""Checkpoints that are a share of a slice's cost held against an SLO: C2 and C3.

Belongs here: the question that both ask. Does not: what counts as evidence (``c2_evidence``,
``c3_actors``).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from attribution_pipeline.proof.completeness import records_query
from attribution_pipeline.proof.ratio import NO_EVIDENCE, Ratio, judged, percent, plain
from attribution_pipeline.proof.routes import Route
from attribution_pipeline.proof.score.asked import Asked, of_route, read
from attribution_pipeline.proof.score.verdict import MOST_ROWS, Rows, Verdict

BELOW_SLO = "below_slo"


@dataclass(frozen=True)
class ShareQuestion:
    """``condition``: SQL over ``records``; ``slo``: a field of the policy's ``slo``."""

    question: str
    title: str
    condition: str
    slo: str
    said: str
    """What the share is of, in the verdict's sentence."""
    remedy: str

    def query(self, metric: str) -> str:
        """The script that gives the number of every slice."""
        return f"{records_query(metric)};\n\n{read('share', condition=f'({self.condition})')}"

    def judge(self, asked: Asked) -> list[Verdict]:
        """One verdict a route slice."""
        condition = f"({self.condition})"
        with asked.records() as db:
            sums = db.table(read("share", condition=condition)).to_pylist()
            missing = db.table(
                read("share_rows", condition=condition, most=str(MOST_ROWS))
            ).to_pylist()
        by_route = {Route.of(row): row for row in sums}
        verdicts = []
        for route in asked.routes:
            row = by_route.get(route)
            lacking = of_route(missing, route)
            count = lacking[0]["all_rows"] if lacking else 0
            for one in lacking:
                del one["all_rows"]
            cost = _ratio(row, "cost")
            verdicts.append(
                self._verdict(asked, route, cost, _ratio(row, "tokens"), Rows.of(lacking, count))
            )
        return verdicts

    def _verdict(
        self, asked: Asked, route: Route, cost: Ratio, tokens: Ratio, rows: Rows
    ) -> Verdict:
        limit: Decimal = getattr(asked.policy.slo, self.slo)
        held = judged(cost, tokens)
        passed = held.reaches(limit)
        gap = f"{plain(cost.whole - cost.part)} {route.currency} in {rows.count:,} rows has none"
        if held.exact is None:
            detail = (
                f"{NO_EVIDENCE}: nothing of the slice can be pinned on a request. {self.remedy}"
            )
        elif passed:
            detail = f"{percent(held.value)} of {asked.metric} {self.said}"
        else:
            detail = f"{percent(held.value)} of {asked.metric} {self.said}; {gap}. {self.remedy}"
        return Verdict(
            self.question,
            self.title,
            route,
            passed,
            number=held.text,
            by_tokens=tokens.text,
            threshold=f"slo.{self.slo} {plain(limit)}",
            detail=detail,
            query=self.query(asked.metric),
            rows=rows,
            reason="" if passed else NO_EVIDENCE if held.exact is None else BELOW_SLO,
        )


def _ratio(row: dict[str, object] | None, measure: str) -> Ratio:
    if row is None:
        return Ratio(Decimal(0), Decimal(0))
    return Ratio(
        *(Decimal(str(row[f"{side}_{measure}"] or 0)) for side in ("part", "whole"))
    )  # exact: both are decimals or whole numbers, whose text is all of them
