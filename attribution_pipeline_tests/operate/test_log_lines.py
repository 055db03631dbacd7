"""What goes to stderr is a line for people, or an object for a collector, by one variable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attribution_pipeline_tests.operate.commands import attribution


def test_a_refusal_is_a_line_for_people(tmp_path: Path) -> None:
    said = attribution(tmp_path, "metrics", status=2)
    assert said.startswith("attribution: ")
    assert "there is no deployment file" in said


def test_a_refusal_is_an_object_for_a_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTRIBUTION_LOG_FORMAT", "json")
    said = json.loads(attribution(tmp_path, "metrics", status=2))
    assert (said["level"], said["event"]) == ("ERROR", "refused")
    assert "there is no deployment file" in said["message"]
    assert said["timestamp"].endswith("+00:00")
