"""Where nothing moved but the policy, the policy is the part that says so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.simulator import write_company
from attribution_pipeline.simulator.scenarios import Scenario
from attribution_pipeline.sources.landing import land
from attribution_pipeline.views.explain import (
    Explanation,
    Means,
    explain,
    opened,
    read_period,
    under_one_rule,
)
from attribution_pipeline.views.explain.parts import PARTS
from attribution_pipeline.views.explain.periods import notes
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
