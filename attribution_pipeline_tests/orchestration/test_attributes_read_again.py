"""A policy version that names other span attributes reads landed spans again, and history leaves no trace:
the lake ends where one does that had all versions from the beginning."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.lake.pruning import plan
from attribution_pipeline.orchestration.arrivals import arrivals
from attribution_pipeline.orchestration.checks.awaiting import awaiting_objects
from attribution_pipeline.orchestration.digests import bring_up_to_date
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.replaying import replay
from attribution_pipeline.orchestration.staleness import stale_days
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.operate.commands import attribution
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.orchestration.rereading import (
    NAMED,
    SPANS,
    calls,
    deliver,
    kept,
    landed,
    opened,
    publish,
    recorded,
    spans_line,
)

# -- where it ends -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day recorded under version 1, read again for version 2 and recorded under it. Not to be
    written to."""
    folder = shutil.copytree(WORKED_DAY, tmp_path_factory.mktemp("again") / "worked_day")
    (folder / "spans" / "traces.jsonl").unlink()
    deliver(folder, "a.jsonl", *SPANS[:5])
    deliver(folder, "b.jsonl", *SPANS[5:])
    landed(folder)
    recorded(folder)
    publish(folder)
    found = arrivals(opened(folder))
    assert (found.unseen, found.again) == (2, 2)
    assert "2 of them to read again for span attributes" in found.why
    report = landed(folder)
    assert (report.new, report.again) == (0, 2)
    assert "  2 objects read again for app.tenant, app.workflow" in report.lines()
    assert spans_line(report) == (
        "spans traces: objects 0 new, 2 read again, 0 known; rows spans 8; days 2026-10-05"
    )
    recorded(folder)
    return folder


@pytest.fixture
def moved(story: Path, tmp_path: Path) -> Path:
    return shutil.copytree(story, tmp_path / "worked_day")


def test_it_ends_in_the_ledger_of_a_fresh_lake(moved: Path) -> None:
    house = opened(moved)
    first, second = (
        house.lake.document(state)["output"]["content_digest"] for state in house.lake.states(DAY)
    )
    shutil.rmtree(moved / "lake")
    landed(moved)
    assert recorded(moved) == second != first


def test_a_state_of_before_is_replayed_from_what_stood_then(moved: Path) -> None:
    house = opened(moved)
    first, second = house.lake.states(DAY)
    assert [replay(house, state).code for state in (first, second)] == [0, 0]
    then, now = kept(moved, first.landed), kept(moved, second.landed)
    assert [span for span, _ in then] == [span for span, _ in now]
    assert {attributes for _, attributes in then} == {None}
    assert sum(attributes is not None for _, attributes in now) > 4


def test_the_copy_that_a_first_state_was_recorded_from_stays(moved: Path) -> None:
    """A replay of it under another policy derives its calls from the spans of then."""
    house = opened(moved)
    assert house.landed.replaced()
    later = datetime.now(UTC) + timedelta(days=500)
    assert plan(house.lake, later, timedelta(days=400)).files == []


def test_what_is_delivered_twice_is_nothing_new_after_it(moved: Path) -> None:
    before = kept(moved)
    shutil.copy(moved / "spans" / "a.jsonl", moved / "spans" / "copy.jsonl")
    report = landed(moved)
    assert (report.new, report.again, report.rows) == (0, 0, {})
    assert kept(moved) == before
    bring_up_to_date(opened(moved))
    assert stale_days(opened(moved)) == []


STEPS: tuple[Callable[[Path], object], ...] = (
    lambda folder: deliver(folder, "a.jsonl", *SPANS[:3]),
    lambda folder: deliver(folder, "b.jsonl", *SPANS[3:]),
    # a file that was delivered twice, one that says nobody of two of them, and a broken line
    lambda folder: deliver(folder, "a-again.jsonl", *SPANS[:3], ending="\n\n"),
    lambda folder: deliver(
        folder, "bare.jsonl", *[line.replace('"app.tenant"', '"other"') for line in SPANS[2:5]], "{"
    ),
    lambda folder: publish(folder, 2, "{tenant_id: [app.tenant]}"),
    lambda folder: publish(folder, 3, NAMED),
    lambda folder: publish(folder, 4, "{task: [gen_ai.response.id]}", "2026-10-07"),
)


@pytest.mark.parametrize("seed", [0, 2])
def test_no_history_of_files_and_versions_shows_in_a_days_calls(folder: Path, seed: int) -> None:
    steps = list(STEPS)
    random.Random(seed).shuffle(steps)
    for number, step in enumerate(steps):
        step(folder)
        if (number + seed) % 3:
            landed(folder)
    landed(folder)
    found, rejected = calls(folder), opened(folder).landed.rejected_counts()
    assert sum(file.rows for file in opened(folder).landed.rejected_files()) == 1
    shutil.rmtree(folder / "lake")
    landed(folder)
    assert (calls(folder), opened(folder).landed.rejected_counts()) == (found, rejected)


# -- what is read again, and what is not -------------------------------------------------------------


def test_other_objects_in_the_same_files_stay_and_an_unchanged_source_is_left_alone(
    folder: Path,
) -> None:
    spans = list(dict.fromkeys(SPANS))  # one of them is a second delivery
    for number, line in enumerate(spans):
        deliver(folder, f"{number}.jsonl", line)
    landed(folder)
    (folder / "spans" / "3.jsonl").unlink()
    everything = {span for span, _ in kept(folder)}
    publish(folder)
    report = landed(folder)
    assert (report.again, report.awaiting) == (len(spans) - 1, 1)
    assert {span for span, _ in kept(folder)} == everything
    assert len(kept(folder)) == len(spans)
    for _ in range(2):
        again = landed(folder)
        assert (again.new, again.again, again.rows) == (0, 0, {})
    assert len(opened(folder).landed.files("spans")) == 1


def test_two_paths_of_one_object_are_read_once(folder: Path) -> None:
    deliver(folder, "a.jsonl", *SPANS)
    deliver(folder, "b.jsonl", *SPANS)
    landed(folder)
    publish(folder)
    report = landed(folder)
    assert (report.again, report.known) == (1, 5)
    assert len(kept(folder)) == len(SPANS)


def test_several_processes_read_the_same_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, lines in enumerate((SPANS[:3], SPANS[:3], SPANS[3:5], SPANS[5:])):
        deliver(folder, f"{number}.jsonl", *lines)
    landed(folder)
    publish(folder)
    shutil.copytree(folder, folder / "other")
    monkeypatch.setattr("attribution_pipeline.sources.landing_run.processes_for", lambda new: 2)
    report = landed(folder)
    assert (report.again, report.awaiting, report.refused) == (3, 0, 0)
    monkeypatch.undo()
    landed(folder / "other")
    assert kept(folder) == kept(folder / "other")
    assert sum(attributes is not None for _, attributes in kept(folder)) > 4


def test_a_version_of_later_days_alone_reads_nothing_again(folder: Path) -> None:
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    publish(folder, since="2026-10-07")
    assert arrivals(opened(folder)).again == 0
    assert landed(folder).again == 0
    publish(folder, 3, since="2026-10-06")  # that day looks for twins in the one before
    assert arrivals(opened(folder)).again == 1
    assert landed(folder).again == 1


# -- files that are gone -----------------------------------------------------------------------------


def test_a_file_that_is_gone_stands_as_it_was_read_and_is_named_until_it_is_back(
    folder: Path,
) -> None:
    path = deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    before = calls(folder)
    text = path.read_text()
    path.unlink()
    publish(folder)
    report = landed(folder)
    (line,) = (line for line in report.lines() if "a.jsonl" in line)
    assert "gone_before_read_again" in line
    assert "landed without app.tenant, app.workflow" in line
    assert "put the file back under its path" in line
    answer = awaiting_objects(opened(folder))
    assert not answer.passed
    assert answer.description.startswith(
        "1 file was not read again, and the ledger knows what is in there as it was read before. "
        "spans traces: a.jsonl: gone_before_read_again"
    )
    assert calls(folder) == before
    path.write_text(text)
    assert landed(folder).again == 1
    assert awaiting_objects(opened(folder)).passed
    assert calls(folder) != before


def test_nobody_misses_it_on_a_closed_day_before_a_new_version_is_forced_on_it(
    folder: Path,
) -> None:
    closed = {
        "issuer": "Amazon Web Services", "account": None, "period": "2026-10-01",
        "closed_at": "2026-11-10T00:00:00+00:00", "status": "closed", "closed_by": "finops",
    }  # fmt: skip
    (folder / "closes").mkdir()
    (folder / "closes" / "october.jsonl").write_text(json.dumps(closed) + "\n")
    with (folder / "attribution.yaml").open("a") as file:
        file.write("  closes:\n    - {name: closes, uri: ./closes}\n")
    path = deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    recorded(folder)
    path.unlink()
    publish(folder)
    publish(folder, 3, "{}", "2026-10-06")  # the next day is open, and looks at this one's spans
    assert landed(folder).awaiting == 0
    record_day(opened(folder), DAY, force=True)
    assert landed(folder).awaiting == 1


def test_of_two_copies_the_one_that_was_read_for_the_names_stands(folder: Path) -> None:
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    (folder / "spans" / "a.jsonl").unlink()
    publish(folder)
    deliver(folder, "b.jsonl", *reversed(SPANS))
    assert landed(folder).awaiting == 0  # each span of the one that is gone is in the other
    found = calls(folder)[0]
    shutil.rmtree(folder / "lake")
    landed(folder)
    assert calls(folder)[0] == found


def test_a_file_that_was_written_on_holds_what_it_began_with(folder: Path) -> None:
    deliver(folder, "traces.jsonl", *SPANS[:3])
    landed(folder)
    deliver(folder, "traces.jsonl", *SPANS[:5])
    landed(folder)
    publish(folder)
    (folder / "spans" / "traces.jsonl").unlink()
    deliver(folder, "traces-2026-10-06.jsonl", *SPANS)
    report = landed(folder)
    assert (report.new, report.awaiting) == (1, 0)
    assert len(kept(folder)) == len(SPANS)
    assert awaiting_objects(opened(folder)).passed


def test_one_that_can_be_read_no_more_stands_as_it_was_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from attribution_pipeline.sources import landing_run
    from attribution_pipeline.sources.rejection import ObjectRefused

    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    spans = kept(folder)
    publish(folder)

    def broken(*_: object) -> None:
        raise ObjectRefused("too_new", "is broken", where="a.jsonl", remedy="none")

    monkeypatch.setattr(landing_run, "read_batches", broken)
    report = landed(folder)
    assert (report.again, report.refused) == (0, 0)
    assert any("not_readable_again" in line for line in report.lines())
    assert kept(folder) == spans


# -- what an older release landed --------------------------------------------------------------------


def index_of(folder: Path) -> list[Path]:
    return sorted((folder / "lake" / "landed" / "index").iterdir())


def as_an_older_release_left_it(folder: Path) -> None:
    (path,) = (
        path
        for path in index_of(folder)
        if said_by(path.read_bytes())["objects"][0]["kind"] == "spans"
    )
    said = {**said_by(path.read_bytes()), "schema": 2}
    del said["attributes"], said["replaces"]
    path.write_bytes(with_digest(said))
    for later in index_of(folder):
        if later.name > path.name:
            later.unlink()


def test_what_an_older_release_landed_is_read_again_once_where_it_lies(folder: Path) -> None:
    publish(folder)
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    files = opened(folder).landed.files("spans")
    as_an_older_release_left_it(folder)
    assert landed(folder).again == 1
    assert opened(folder).landed.files("spans") == files  # nothing in it had been missing
    assert landed(folder).again == 0


def test_of_what_an_older_release_landed_and_is_gone_one_line_tells(folder: Path) -> None:
    publish(folder)
    path = deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    as_an_older_release_left_it(folder)
    path.unlink()
    report = landed(folder)
    assert report.awaiting == 0
    (line,) = (line for line in report.lines() if "a.jsonl" in line)
    assert line.endswith("taken as read for app.tenant, app.workflow")
    assert not any("a.jsonl" in line for line in landed(folder).lines()), "said once"


# -- before it is published --------------------------------------------------------------------------


def test_policy_check_says_what_will_be_read_again(folder: Path, tmp_path: Path) -> None:
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    publish(folder)
    draft = (folder / "policies" / "policy-2.yaml").rename(tmp_path / "draft.yaml")
    told = attribution(folder, "policy", "check", str(draft))
    assert (
        "1 landed span object was not read for app.tenant, app.workflow; read again once it is "
        "published, where the files still lie in their source" in told.splitlines()
    )
    first = folder / "policies" / "policy-1.yaml"
    assert "not read for" not in attribution(folder, "policy", "check", str(first))


def test_the_index_says_what_its_objects_were_read_for(folder: Path) -> None:
    publish(folder)
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    entries = [said_by(path.read_bytes()) for path in index_of(folder)]
    of_spans = [entry for entry in entries if entry["objects"][0]["kind"] == "spans"]
    assert [entry["attributes"] for entry in of_spans] == [["app.tenant", "app.workflow"]]
