"""The simulator's causes: off they change nothing, on they change their own day and tenant."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.simulator import write_company
from attribution_pipeline.simulator.scenarios import CAUSES, MORE_REQUESTS, PRICE_CHANGE, Scenario

SPANS_PER_DAY = 200


def company(folder: Path, scenario: Scenario | None) -> dict[str, bytes]:
    """Every file of a small company of two days."""
    write_company(folder, days=2, spans_per_day=SPANS_PER_DAY, seed=5, scenario=scenario)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_scenario_without_a_cause_writes_the_same_company(tmp_path: Path) -> None:
    assert company(tmp_path / "on", Scenario("acme")) == company(tmp_path / "off", None)


def test_a_cause_leaves_the_truth_of_other_days_and_tenants_as_it_was(tmp_path: Path) -> None:
    truths = {}
    for name, causes in (("off", {}), ("on", {1: MORE_REQUESTS})):
        company(tmp_path / name, Scenario("acme", causes))
        truths[name] = [
            pq.read_table(path)
            for path in sorted((tmp_path / name / "truth" / "costs").glob("*.parquet"))
        ]
    assert truths["on"][0] == truths["off"][0]
    tokens = {
        (name, is_mine): sum(
            row["billed_cost"] for row in truths[name][1].to_pylist()
            if row["token_kind"] and (row["tenant_id"] == "acme") == is_mine
        )
        for name in truths
        for is_mine in (True, False)
    }  # fmt: skip
    assert tokens["on", True] > tokens["off", True] > 0
    assert tokens["on", False] == tokens["off", False] > 0


@pytest.mark.parametrize(
    ("tenant", "causes", "word"),
    [("nobody", {}, "is no tenant"), ("acme", {1: "weather"}, "moves no spend")],
)
def test_what_is_no_scenario_is_refused(tenant: str, causes: dict[int, str], word: str) -> None:
    with pytest.raises(Refusal, match=word):
        Scenario(tenant, causes)


def test_a_scenario_is_played_without_faults(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="without faults"):
        write_company(
            tmp_path / "no", scenario=Scenario("acme", {1: PRICE_CHANGE}), faults=["lost_spans"]
        )
    assert len(CAUSES) == 6
