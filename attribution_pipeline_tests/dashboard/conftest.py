"""One recorded company for all tests of the dashboard: read, never written to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.views.dashboard.app import dashboard
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline_tests.dashboard.companies import company


@pytest.fixture(scope="session")
def deployment_of_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployment file."""
    return company(tmp_path_factory.mktemp("company") / "demo")


@pytest.fixture(scope="session")
def books(deployment_of_company: Path) -> Iterator[Books]:
    """Its books, opened once."""
    opened = Books(load_deployment(deployment_of_company))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def app(books: Books):
    """The application on them."""
    return dashboard(books, dagster="http://127.0.0.1:3000")
