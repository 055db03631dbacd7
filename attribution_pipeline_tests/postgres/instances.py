"""Dagster instances from the very file that ``k8s/`` puts into a config map."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.postgres.server import Postgres

BASE = REPOSITORY / "k8s" / "base"
SETTINGS = BASE / "instance" / "dagster.yaml"
WITHOUT_LAUNCHER = BASE / "instance-read-only" / "dagster.yaml"
"""For pods without a token: `dagster instance migrate` makes a launcher, only to print its name."""


def home_of(folder: Path, settings: Path = SETTINGS) -> Path:
    """A folder for ``$DAGSTER_HOME`` that holds the settings and nothing else."""
    folder.mkdir()
    (folder / "dagster.yaml").write_bytes(settings.read_bytes())
    return folder


def migrate(home: Path, environment: dict[str, str]) -> None:
    """What the migrate Job runs."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dagster"), "instance", "migrate"],
        env={**os.environ, **environment, "DAGSTER_HOME": str(home)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def instance_of(
    server: Postgres, database: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """The instance, closed at the end."""
    environment = {**server.environment(database), "ATTRIBUTION_NAMESPACE": "attribution"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    home = home_of(folder)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance:
        yield instance
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"], "the home is read-only"
