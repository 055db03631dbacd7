"""A company in which one thing happens to a tenant a day, and what each day's explanation says.

Belongs here: playing the scenario through landing and recording. Does not: how many companies
(``run``), which of them are asserted (``test_scenarios``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.simulator import FIRST_DAY, write_company
from attribution_pipeline.simulator.scenarios import CAUSES, Scenario
from attribution_pipeline.sources.landing import land
from attribution_pipeline.views.explain import Explanation, read_period
from attribution_pipeline_tests.explain.books import asked

TENANT, CURRENCY, METRIC = "acme", "USD", "effective_cost"

PART_OF = {
    "more_requests": "requests", "longer_prompts": "prompt_size", "lost_cache": "cache",
    "retry_storm": "retries", "model_switch": "model_mix", "price_change": "price",
}  # fmt: skip
"""Cause that is injected -> the part that must be the largest."""

ORDINARY = FIRST_DAY + timedelta(days=1)
"""Nothing happens: every other day is held against it. The first day has what a month starts with."""


def days_of(causes: Iterable[str]) -> dict[str, date]:
    """Cause -> the day on which it happens."""
    return {cause: ORDINARY + timedelta(days=1 + place) for place, cause in enumerate(causes)}


DAY_OF = days_of(CAUSES)


@dataclass(frozen=True)
class Told:
    """What one injected cause came out as."""

    seed: int
    cause: str
    explanation: Explanation

    @property
    def parts(self) -> dict[str, int]:
        """Quanta by part, the largest first."""
        found = self.explanation.total(CURRENCY).parts
        return dict(sorted(found.items(), key=lambda item: -abs(item[1])))

    @property
    def is_right(self) -> bool:
        """Whether the cause is the largest part."""
        return next(iter(self.parts)) == PART_OF[self.cause]

    @property
    def sums(self) -> bool:
        """Whether the parts are the change, to the quantum."""
        return sum(self.parts.values()) == self.explanation.total(CURRENCY).change

    def line(self) -> str:
        """On one line, with the three largest parts."""
        parts = [f"{part} {quanta / 10**12:+.2f}" for part, quanta in list(self.parts.items())[:3]]
        word = "right" if self.is_right and self.sums else "WRONG"
        total = self.explanation.total(CURRENCY)
        return (
            f"{word} seed {self.seed} {self.cause}: {total.change / 10**12:+.2f} {CURRENCY} on "
            f"{total.against / 10**12:.2f}, {', '.join(parts)}"
        )


def play(
    folder: Path, seed: int, spans_per_day: int, *, steady: bool,
    days: Mapping[str, date] = DAY_OF,
) -> House:  # fmt: skip
    """Write the company, land it, record every day that is asked about.

    ``steady``: every day has the calls of the first but for its cause; else each draws its own.
    """
    causes = {(day - FIRST_DAY).days: cause for cause, day in days.items()}
    write_company(
        folder, days=max(causes) + 1, spans_per_day=spans_per_day, seed=seed,
        scenario=Scenario(TENANT, causes, steady=steady),
    )  # fmt: skip
    house = House(load_deployment(folder / "attribution.yaml"))
    report = land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    assert not report.rejected, dict(report.rejected)
    for day in (ORDINARY, *days.values()):
        record_day(house, day)
    return house


def told(house: House, seed: int, days: Mapping[str, date] = DAY_OF) -> list[Told]:
    """Every cause's day against the ordinary one."""
    return [Told(seed, cause, explained(house, day)) for cause, day in days.items()]


def explained(house: House, day: date) -> Explanation:
    """A day against the ordinary one."""
    periods = [read_period(house.lake, one, one) for one in (ORDINARY, day)]
    return asked(*periods, TENANT, METRIC)
