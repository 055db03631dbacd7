"""CI's slice of a month on S3 (`make s3-month`): two backfills at once and a writer that is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution_pipeline_tests.buckets import month
from attribution_pipeline_tests.buckets.paths import BucketPath

pytestmark = pytest.mark.heavy


def test_two_backfills_and_a_killed_writer_make_the_books_of_local_files(
    place: BucketPath, tmp_path: Path
) -> None:
    told = month.play(tmp_path, place, days=2, spans=400, kills=1)
    assert told.wrong == []
    assert told.kills == 1
    assert told.states == 2
