"""``attribution demo`` writes a deployment that the other commands take as it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from attribution_pipeline.config import load_deployment
from attribution_pipeline.model.policy import load_policies
from attribution_pipeline_tests.test_cli import refusal, run

SMALL = ("--days", 1, "--spans-per-day", 200, "--seed", 3)


def test_demo_is_a_whole_deployment_and_tells_the_next_step(tmp_path: Path) -> None:
    folder = tmp_path / "company"
    result = run("demo", folder, *SMALL, "--first-day", "2026-10-06")
    assert result.exit_code == 0, result.output
    deployment = load_deployment(folder / "attribution.yaml")
    deployment.require_inputs()
    load_policies(deployment.policies_folder).in_force(date(2026, 10, 6))
    assert (folder / "truth").is_dir()
    assert result.stdout.splitlines()[-1] == (
        f"next: attribution run --config {folder / 'attribution.yaml'} "
        "--from 2026-10-06 --to 2026-10-06"
    )


def test_fault_that_the_simulator_does_not_know_is_refused_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    assert "use one of: duplicates" in refusal("demo", tmp_path / "company", "--fault", "meteor")
    assert list(tmp_path.iterdir()) == []
