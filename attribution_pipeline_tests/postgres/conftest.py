"""One server a session; a Dagster instance on a database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from attribution_pipeline_tests.orchestration.conftest import (
    deployment_file,
    looked_at_once,
    no_dagster_home,
    recorded_once,
)
from attribution_pipeline_tests.postgres.instances import instance_of
from attribution_pipeline_tests.postgres.server import Postgres, postgres

__all__ = ["deployment_file", "looked_at_once", "no_dagster_home", "recorded_once"]


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A running Postgres."""
    with postgres() as running:
        yield running


@pytest.fixture
def database(server: Postgres) -> Iterator[str]:
    """An empty database."""
    with server.database() as name:
        yield name


@pytest.fixture
def instance(
    server: Postgres, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance as the base's config map describes it, migrated."""
    yield from instance_of(server, database, tmp_path / "dagster", monkeypatch)
