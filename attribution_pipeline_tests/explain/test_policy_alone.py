"""Where nothing moved but the policy, the policy is the part that says so."""

from __future__ import annotations

import gc
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import Lake
from attribution_pipeline.lake.states import Published
from attribution_pipeline.model.policy import Policy
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.simulator import write_company
from attribution_pipeline.simulator.scenarios import Scenario
from attribution_pipeline.sources.landing import land
from attribution_pipeline.views.dashboard.app import dashboard
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.pages import moved
from attribution_pipeline.views.explain import (
    Explanation,
    Means,
    Period,
    explain,
    opened,
    read_period,
    ruled,
    under_one_rule,
)
from attribution_pipeline.views.explain.parts import PARTS
from attribution_pipeline.views.explain.periods import notes
from attribution_pipeline.views.explain.ruled import Computed
from attribution_pipeline_tests.dashboard.asking import ask
from attribution_pipeline_tests.explain.books import COMPUTE
from attribution_pipeline_tests.explain.companies import CURRENCY, METRIC, ORDINARY, TENANT

AFTER = ORDINARY + timedelta(days=1)
SPANS_A_DAY = 300
OF_TOKENS = {"requests", "prompt_size", "output_length", "cache", "retries", "model_mix", "price"}


CHANGES = {
    "version: 1\n": "version: 2\n",
    "effective_from: 2026-10-01": f"effective_from: {AFTER}",
    "idle: {driver: active_time, within: node}": "idle: {driver: active_time, within: cluster}",
    "attributes: {tenant_id: [app.tenant]}": "attributes: {tenant_id: [app.other]}",
}
"""Of version 2: how it divides, and whose a call is."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two days with the same calls; the second stands under version 2."""
    folder = tmp_path_factory.mktemp("company") / "acme"
    write_company(
        folder,
        days=3,
        spans_per_day=SPANS_A_DAY,
        seed=1,
        scenario=Scenario(TENANT, {}, steady=True),
    )
    text = (folder / "policies" / "policy-1.yaml").read_text()
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "policies" / "policy-2.yaml").write_text(text)
    made = House(load_deployment(folder / "attribution.yaml"))
    land(made.sources, made.landed, keep_attributes=made.policies.attribute_aliases())
    for day in (ORDINARY, AFTER):
        record_day(made, day)
    return made


def explained(house: House, tenant: str | None, scratch: Path) -> tuple[Explanation, list[str]]:
    then, now = (read_period(house.lake, day, day) for day in (ORDINARY, AFTER))
    means = Means(house.lake, house.landed, house.deployment.key_ring, house.compute)
    then, now = under_one_rule(means, then, now, scratch)
    with opened(then, now, tenant, METRIC, COMPUTE) as rows:
        return explain(rows), notes(then, now)


def parts(found: Explanation) -> dict[str, int]:
    """Quanta by part that is not zero, the largest first."""
    moved = {part: quanta for part, quanta in found.total(CURRENCY).parts.items() if quanta}
    return dict(sorted(moved.items(), key=lambda one: -abs(one[1])))


@pytest.mark.parametrize("tenant", [TENANT, None])
def test_a_change_of_the_policy_alone_is_policy_change(
    house: House, tmp_path: Path, tenant: str | None
) -> None:
    found, said = explained(house, tenant, tmp_path)
    of_groups = [sums.parts for sums in found.by(["tenant_id"]).values()]
    largest = max(sum(abs(one[part]) for one in of_groups) for part in PARTS)
    assert sum(abs(one["policy_change"]) for one in of_groups) == largest > 0
    assert not OF_TOKENS & set(parts(found)), "the calls are the same"
    assert any("what the rule itself moved is policy change" in note for note in said)
    if tenant is not None:
        assert next(iter(parts(found))) == "policy_change"
    else:
        assert "policy_change" not in parts(found), "a rule divides the bill, it changes none"


def test_what_cannot_be_computed_is_left_inside_and_told(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attribution_pipeline.views.explain.ruled.KERNEL", "other")
    found, said = explained(house, TENANT, tmp_path)
    assert "policy_change" not in parts(found)
    assert any("is inside the parts" in note and "was computed by kernel" in note for note in said)


def test_periods_that_overlap_compute_their_common_day_once(house: House, tmp_path: Path) -> None:
    both = read_period(house.lake, ORDINARY, AFTER)
    means = Means(house.lake, house.landed, house.deployment.key_ring, house.compute)
    then, now = under_one_rule(means, both, both, tmp_path)
    assert then.ruled == now.ruled == [ORDINARY]
    assert then.files == now.files


def test_a_day_that_was_computed_is_kept_with_what_is_compared_of_it_and_goes_with_its_holder(
    house: House, tmp_path: Path
) -> None:
    held: dict[tuple[object, ...], Computed] = {}
    made = []

    def kept(of: tuple[object, ...], make: Callable[[], Computed]) -> Computed:
        if of not in held:
            made.append(of)
            held[of] = make()
        return held[of]

    means = Means(
        house.lake, house.landed, house.deployment.key_ring, house.compute, kept=kept
    )  # fmt: skip
    then, now = (read_period(house.lake, day, day) for day in (ORDINARY, AFTER))
    first = under_one_rule(means, then, now, tmp_path)
    again = under_one_rule(means, then, now, tmp_path)
    assert len(made) == 1
    assert first == again
    (computed,) = held.values()
    there = {str(path) for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {path for paths in computed.files.values() for path in paths}
    assert 0 < computed.nbytes == sum(Path(path).stat().st_size for path in there)
    del first, again, computed
    held.clear()
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_page_computes_a_day_of_another_version_once_whatever_is_asked_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed, read = [], []
    usual, usually_read = ruled._made, moved.read_period

    def noted(means: Means, state: Published, policy: Policy, scratch: Path) -> Computed:
        computed.append(state.day)
        return usual(means, state, policy, scratch)

    def noted_read(lake: Lake, first: date, last: date) -> Period:
        read.append(first)
        return usually_read(lake, first, last)

    monkeypatch.setattr(ruled, "_made", noted)
    monkeypatch.setattr(moved, "read_period", noted_read)
    books = Books(house.deployment)
    try:
        app = dashboard(books)
        days = f"/explain?from={AFTER}&to={AFTER}&against={ORDINARY}&until={ORDINARY}"
        assert "policy change" in ask(app, f"{days}&tenant={TENANT}&by=workflow").text
        assert (computed, len(read)) == ([AFTER], 2)
        assert "policy change" in ask(app, f"{days}&tenant={TENANT}&by=model").text
        assert len(read) == 2, "grouped otherwise, it is the same explanation"
        assert ask(app, days).status == 200
        assert computed == [AFTER], "everybody's spend is of the same day"
    finally:
        books.close()


def test_a_page_says_what_it_computes_and_of_how_many_days_it_does_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = f"/explain?from={AFTER}&to={AFTER}&against={ORDINARY}&until={ORDINARY}"
    books = Books(house.deployment)
    try:
        waiting = ask(dashboard(books, patience_s=0.0), days).text
        assert "1 of these days stands under another version of the policy than" in waiting
        assert "is computed under that one, too: it takes what a run of a day takes" in waiting
        ask(dashboard(books), days)  # what is being worked out is waited for
        monkeypatch.setattr(moved, "MOST_COMPUTED", 0)
        told = ask(dashboard(books), f"{days}&tenant={TENANT}").text
        assert "1 days stand under another version, and up to 0 are computed" in told
        assert "a page computes up to 0 days under another version, the command below 14" in told
        waiting = ask(dashboard(books, patience_s=0.0), f"{days}&by=model").text
        assert "so they are compared as they stand" in waiting
    finally:
        books.close()
