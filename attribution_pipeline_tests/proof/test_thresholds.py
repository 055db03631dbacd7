"""C5's registry: every check that exists is in it, with a field of the policy and a test that stands."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from attribution_pipeline.definitions import build_defs
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.orchestration.checks import alerts
from attribution_pipeline.orchestration.checks.answers import RecordedDay
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.proof.score import CHECKPOINTS
from attribution_pipeline.proof.score.c5_thresholds import value_of
from attribution_pipeline.proof.score.thresholds import BESIDE, THRESHOLDS, of_check
from attribution_pipeline.proof.triage import PRIORITIES
from attribution_pipeline_tests.cases import REPOSITORY, WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.proof.replays import History

TESTS = REPOSITORY / "attribution_pipeline_tests"

SMALL = "policy: p\nversion: 1\neffective_from: 2026-10-01\n"


@pytest.fixture
def house(recorded_history: History, tmp_path: Path) -> House:
    """The worked day as recorded, the test's own copy."""
    folder = shutil.copytree(recorded_history.folder, tmp_path / "worked_day")
    return History(folder, recorded_history.now).house()


def test_every_check_of_the_code_location_has_a_threshold() -> None:
    graph = build_defs(WORKED_DAY / "attribution.yaml").get_repository_def().asset_graph
    checks = {key.name for key in graph.asset_check_keys}
    asked = {*checks, *CHECKPOINTS, *PRIORITIES} - {"C5"}  # C5 is the one that judges the registry
    assert asked - set(THRESHOLDS) == set(), "name them in proof/score/thresholds.py"
    assert set(THRESHOLDS) - asked == set(), "there is no such check any more"


@pytest.mark.parametrize("check", THRESHOLDS)
def test_a_threshold_is_a_field_of_the_policy_and_its_test_stands(check: str) -> None:
    policy = parse_policy(SMALL)
    for found in of_check(check):
        assert value_of(policy, found.field) is not None, "a policy without the key has a default"
        path, _, name = found.test.partition("::")
        assert name in _functions(TESTS / path), f"{path} has no test {name}"


def test_every_tolerance_of_a_policy_is_the_threshold_of_a_check() -> None:
    assert set(BESIDE) <= set(THRESHOLDS)
    named = {found.field for check in THRESHOLDS for found in of_check(check)}
    asked = {f"tolerance.{name}" for name in type(parse_policy(SMALL).tolerance).model_fields}
    assert asked - named == set()


def test_counts_are_held_against_the_policys_tolerance(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy may accept rejected records and findings, so many and no more."""
    counts = {("usage", "usage"): {"unreadable_quantity": 3}}
    monkeypatch.setattr(type(house.landed), "rejected_counts", lambda *_: counts)
    finding = {"check": "sampling", "severity": "warn", "subject": "x", "detail": "y"}
    recorded = RecordedDay(house, DAY)
    recorded.manifest["output"]["findings"] = [finding] * 3
    for limit, passed in ((2, False), (3, True)):
        said = {"rejected_records": limit, "findings": limit}
        tolerance = recorded.policy.tolerance.model_copy(update=said)
        recorded.__dict__["policy"] = recorded.policy.model_copy(update={"tolerance": tolerance})
        assert alerts.rejected_records(recorded).passed is passed
        assert alerts.evidence_gates(recorded).passed is passed


def test_a_policy_can_accept_no_breach_of_an_invariant() -> None:
    with pytest.raises(Refusal, match=r"tolerance\.breaches"):
        parse_policy(f"{SMALL}tolerance: {{breaches: 1}}\n")
    assert parse_policy(f"{SMALL}tolerance: {{breaches: 0}}\n").tolerance.breaches == 0


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
