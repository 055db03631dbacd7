"""What is accepted of the outside judges, with a reason each: ``accepted.yaml``."""

from __future__ import annotations

from pathlib import Path

import yaml


def accepted(dataset: str, judge: str) -> set[str]:
    """Rules with a reason."""
    said = yaml.safe_load(Path(__file__).with_name("accepted.yaml").read_text(encoding="utf-8"))
    found: dict[str, str] = said[dataset][judge]
    assert all(found.values())
    return set(found)
