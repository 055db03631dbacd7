"""A place in a real S3 for each test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attribution_pipeline_tests.buckets import server
from attribution_pipeline_tests.buckets.paths import BucketPath

os.environ.update(server.KEYS)  # before any child process takes its environment over


@pytest.fixture
def place(tmp_path: Path) -> BucketPath:
    """A prefix that nobody else uses."""
    return server.new_place(tmp_path / "scratch")
