"""Two days of `make s3-month`: two backfills at once and a writer that is killed. With `make s3`: it takes
more of CI's 25 minutes than it adds to the crash tests beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attribution_pipeline_tests.buckets import month
from attribution_pipeline_tests.buckets.paths import BucketPath

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(os.environ.get("S3") != "all", reason="`make s3` runs it"),
]


def test_two_backfills_and_a_killed_writer_make_the_books_of_local_files(
    place: BucketPath, tmp_path: Path
) -> None:
    told = month.play(tmp_path, place, days=2, spans=400, kills=1)
    assert told.wrong == []
    assert told.kills == 1
    assert told.states == 2
