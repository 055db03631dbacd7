"""Every test of storage that takes ``root`` runs in a folder and in a bucket of a real S3.

With ``S3=all`` (`make s3`) in a bucket every one; else those in ``SLICE``, which CI has the time for.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attribution_pipeline.lake import bucket_store
from attribution_pipeline_tests.buckets import server
from attribution_pipeline_tests.buckets.paths import Root

os.environ.update(server.KEYS)  # before any child process takes its environment over

SLICE = frozenset(
    {
        # the seam itself
        "test_objects_are_named_relative_to_the_place",
        "test_what_is_not_there_is_said_so_and_nothing_is_made_by_asking",
        "test_an_object_is_created_once_and_never_changed",
        "test_of_many_who_create_one_object_exactly_one_does",
        "test_objects_that_are_expected_are_read_as_they_stand_then",
        "test_creating_once_more_what_stands_is_no_error_and_something_else_is",
        "test_a_lost_answer_is_looked_up_and_a_failure_stays_one",
        "test_a_placed_file_may_be_placed_again_which_heals_it",
        # recording, losing races, dying
        "test_a_recorded_day_reads_back_in_the_tables_schema",
        "test_other_engines_read_the_delta_tables_as_they_stand",
        "test_the_same_state_again_writes_nothing",
        "test_a_commit_that_was_made_but_not_acknowledged_is_not_doubled[bucket-ledger-error0]",
        "test_a_failed_commit_that_nobody_else_won_is_an_error_not_a_loop",
        "test_two_first_recordings_of_one_day_never_both_stand",
        "test_a_commit_that_loses_the_race_for_a_version_looks_again",
        "test_a_crash_before_the_ledger_commit_leaves_the_old_state_and_a_rerun_converges"
        "[bucket-manifests]",
        "test_a_changed_file_is_refused_by_name_before_it_is_parsed",
        "test_running_a_day_again_heals_a_file_that_rotted",
        "test_two_machines_seal_one_commit_alike",
        "test_a_flipped_bit_of_an_entry_is_refused_by_its_name_whoever_reads[bucket-1-0.5]",
        # landing
        "test_many_small_objects_become_one_file_with_source_in_front",
        "test_changed_or_missing_file_is_noticed_by_its_digest",
        "test_an_index_file_that_was_written_and_not_acknowledged_is_recognised",
        "test_of_two_machines_that_land_at_once_the_second_is_told",
        "test_landing_that_vanished_under_an_open_store_is_refused",
    }
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without ``S3=all``, leave out what CI has no time for on S3; it runs in a folder."""
    if os.environ.get("S3") == "all":
        return
    here = Path(__file__).parent
    left = [item for item in items if here in item.path.parents and not _is_in_slice(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


def _is_in_slice(item: pytest.Item) -> bool:
    called = getattr(item, "callspec", None)
    if called is None or called.params.get("root") != "bucket":
        return True
    return bool(SLICE & {item.name, item.name.partition("[")[0]})


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.heavy)])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """An empty place for a lake."""
    if request.param == "folder":
        return tmp_path
    # what a test changes behind the store's back must be noticed at once
    monkeypatch.setattr(bucket_store, "RECENT_S", 0.0)
    return server.new_place(tmp_path / "scratch")
