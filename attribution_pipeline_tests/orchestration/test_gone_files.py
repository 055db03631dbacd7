"""Landed spans that lack attributes and whose file can't be read again: who is told what, and until when;
what is not known is never said to be nothing; and the copies that nobody reads any more go."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.lake.copying import verify_lake
from attribution_pipeline.lake.landed import LandedView
from attribution_pipeline.lake.pruned import apply_plan
from attribution_pipeline.lake.pruning import plan
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import Policy, PolicyBook
from attribution_pipeline.orchestration.checks.awaiting import awaiting_objects
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.replaying import replay
from attribution_pipeline.orchestration.span_attributes import was_tried
from attribution_pipeline.orchestration.staleness import stale_days
from attribution_pipeline.sources.awaiting import NOT_KNOWN
from attribution_pipeline.sources.objects import OpenedObject
from attribution_pipeline_tests.operate.commands import attribution
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite
from attribution_pipeline_tests.orchestration.rereading import (
    SPANS,
    calls,
    deliver,
    kept,
    landed,
    opened,
    publish,
    recorded,
)

KEEP = timedelta(days=400)


# -- files that grew -----------------------------------------------------------------------------------


def test_a_file_that_grew_before_a_version_named_its_attributes_is_overtaken(folder: Path) -> None:
    """The longer file was read for them, for days after: nothing opens it now, and nothing is missing."""
    deliver(folder, "a.jsonl", *SPANS[:3])
    landed(folder)
    publish(folder, 2, since="2026-10-07")
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    publish(folder, 3)
    report = landed(folder)
    assert (report.new, report.again, report.awaiting) == (0, 0, 0)
    assert awaiting_objects(opened(folder)).passed
    found = calls(folder)[0]
    shutil.rmtree(folder / "lake")
    landed(folder)
    assert calls(folder)[0] == found


def test_of_a_file_that_was_written_over_what_the_longer_one_lacks_is_missed(folder: Path) -> None:
    deliver(folder, "a.jsonl", *SPANS[:3])
    landed(folder)
    publish(folder)
    deliver(folder, "a.jsonl", *reversed([line for line in SPANS if line != SPANS[0]]))
    report = landed(folder)
    assert (report.new, report.awaiting) == (1, 1)
    line = report.lines()[-2]
    assert line.startswith("  a.jsonl: gone_before_read_again, ")
    assert "1 span of it was landed without app.tenant, app.workflow, and stands so" in line
    deliver(folder, "b.jsonl", SPANS[0])
    assert landed(folder).awaiting == 0


def test_what_was_not_found_is_looked_for_again_where_one_of_its_spans_landed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(folder, "a.jsonl", *SPANS[:3])
    landed(folder)
    (folder / "spans" / "a.jsonl").unlink()
    publish(folder)
    seen: list[str] = []
    compared, hashed = LandedView.spans_alone, OpenedObject.beginnings

    def spans_alone(view: LandedView, *asked: Any) -> Any:
        seen.append("rows")
        return compared(view, *asked)

    def beginnings(opened: OpenedObject, sizes: Any) -> Any:
        seen.append("bytes")
        return hashed(opened, sizes)

    monkeypatch.setattr(LandedView, "spans_alone", spans_alone)
    monkeypatch.setattr(OpenedObject, "beginnings", beginnings)

    def looks() -> tuple[list[str], int]:
        del seen[:]
        return seen, landed(folder).awaiting

    assert looks() == (["rows"], 1)
    assert looks() == ([], 1)
    assert len(set(SPANS[:3])) == 2
    deliver(folder, "b.jsonl", *SPANS[3:], *SPANS[3:])  # none of these spans
    assert looks() == ([], 1)
    deliver(folder, "c.jsonl", SPANS[0], *SPANS[3:])  # one of two
    assert looks() == (["rows"], 1)
    deliver(folder, "a.jsonl", *SPANS)  # under its own path it may have grown
    assert looks() == (["bytes"], 0)


def test_what_was_looked_for_in_a_later_index_is_looked_for_again(folder: Path) -> None:
    """The index was restored from an older copy, and what lies beside it was not."""
    deliver(folder, "a.jsonl", *SPANS[:3])
    landed(folder)
    (folder / "spans" / "a.jsonl").unlink()
    publish(folder)
    assert landed(folder).awaiting == 1
    file = folder / "lake" / "landed" / "looked_for.json"
    said = said_by(file.read_bytes())
    file.write_bytes(with_digest({**said, "looked": {**said["looked"], "landing": 99}}))
    deliver(folder, "b.jsonl", *reversed(SPANS))
    assert landed(folder).awaiting == 0


def test_a_tolerance_of_its_own_ends_the_alert_until_another_file_is_gone(folder: Path) -> None:
    deliver(folder, "a.jsonl", *SPANS[:3])
    deliver(folder, "b.jsonl", *SPANS[3:])
    landed(folder)
    (folder / "spans" / "a.jsonl").unlink()
    publish(folder)
    landed(folder)
    recorded(folder)
    answer = awaiting_objects(opened(folder))
    assert not answer.passed
    assert "accept that so many files stand as they were read: `tolerance.not_read_again`" in (
        answer.description
    )
    assert awaiting_objects(accepting(folder, 1)).passed
    assert "(within the 1 that `tolerance.not_read_again` accepts)" in (
        awaiting_objects(opened(folder)).description
    )
    assert stale_days(opened(folder)) == []  # it may take effect tomorrow, and moves no day
    figures = attribution(folder, "metrics")
    assert "\nattribution_overdue_objects 0.0" in figures  # nothing is left unread
    assert "\nattribution_not_read_again_objects 1.0" in figures
    said = attribution(folder, "rejected").splitlines()[-1]
    assert said.endswith("and stand so; accepted by `tolerance.not_read_again`")
    (folder / "spans" / "b.jsonl").unlink()
    publish(folder, 4, "{task: [gen_ai.response.id], tenant_id: [app.tenant]}")
    accepting(folder, 1, 5)
    landed(folder)
    assert not awaiting_objects(opened(folder)).passed


def accepting(folder: Path, files: int, version: int = 3) -> House:
    """After a version that takes effect in a month accepts so many."""
    publish(folder, version, since="2026-12-22")
    path = folder / "policies" / f"policy-{version}.yaml"
    rewrite(path, "tolerance: {", f"tolerance: {{not_read_again: {files}, ")
    return opened(folder)


# -- landed files that are damaged --------------------------------------------------------------------


def test_a_damaged_landed_file_stops_no_landing(folder: Path) -> None:
    """What it alone can tell is not known, and known as soon as it is whole again."""
    deliver(folder, "a.jsonl", SPANS[0])
    landed(folder)
    (damaged,) = (folder / "lake" / path.path for path in opened(folder).landed.files("spans"))
    deliver(folder, "b.jsonl", *SPANS[3:])
    landed(folder)
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + b"?")
    for name in ("a", "b"):
        (folder / "spans" / f"{name}.jsonl").unlink()
    publish(folder)
    deliver(folder, "c.jsonl", *SPANS[4:], SPANS[3])
    for _ in range(2):
        report = landed(folder)
        assert report.awaiting == 2
        (note,) = report.notes
        assert note.startswith(
            "spans traces: not known whether others have the spans of 2 objects that are gone: "
            f"{damaged}: a file of landed evidence is missing or was changed; restore it"
        )
        assert was_tried(opened(folder))  # no day waits for it
        assert "2 files were not read again" in awaiting_objects(opened(folder)).description
    damaged.write_bytes(whole)
    report = landed(folder)
    assert (report.awaiting, report.notes) == (1, [])
    assert "1 span of it was landed without" in awaiting_objects(opened(folder)).description


def test_spans_are_read_again_although_the_landed_file_that_has_them_is_damaged(
    folder: Path,
) -> None:
    """It stands beside them: days need it, as far as anybody knows, and say so until it is restored."""
    deliver(folder, "a.jsonl", *SPANS[:3])
    deliver(folder, "b.jsonl", *SPANS[3:])
    landed(folder)
    (damaged,) = (folder / "lake" / path.path for path in opened(folder).landed.files("spans"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + b"?")
    publish(folder)
    assert landed(folder).again == 2
    assert was_tried(opened(folder))
    with pytest.raises(Refusal, match="missing or was changed; restore it"):
        calls(folder)
    damaged.write_bytes(whole)
    assert landed(folder).again == 0
    found = calls(folder)[0]
    shutil.rmtree(folder / "lake")
    landed(folder)
    assert calls(folder)[0] == found


# -- sources that the deployment file does not name any more ------------------------------------------


def test_a_source_that_is_renamed_and_keeps_its_files_lacks_nothing(folder: Path) -> None:
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    rewrite(folder / "attribution.yaml", "name: traces", "name: calls")
    publish(folder)
    report = landed(folder)
    assert (report.new, report.awaiting) == (1, 0)
    found = calls(folder)[0]
    shutil.rmtree(folder / "lake")
    landed(folder)
    assert calls(folder)[0] == found


def test_what_a_source_landed_under_an_older_name_is_named_where_it_lacks_attributes(
    folder: Path,
) -> None:
    deliver(folder, "a.jsonl", *SPANS[:3])
    deliver(folder, "b.jsonl", *SPANS[3:])
    landed(folder)
    rewrite(folder / "attribution.yaml", "name: traces", "name: calls")
    text = (folder / "spans" / "a.jsonl").read_text()
    (folder / "spans" / "a.jsonl").unlink()
    landed(folder)
    assert awaiting_objects(opened(folder)).passed  # no version names any
    publish(folder)
    report = landed(folder)
    line = report.lines()[-1]
    assert line.startswith("  a.jsonl: source_not_in_deployment")
    assert (
        "source traces is not in the deployment file; 2 spans of it lack app.tenant, app.workflow; "
        "if it was renamed and its files still lie somewhere, give its entry under `sources.spans` the "
        "name traces again"
    ) in line
    answer = awaiting_objects(opened(folder))
    assert not answer.passed
    assert "2 spans of it lack app.tenant, app.workflow" in answer.description
    (folder / "old").mkdir()
    (folder / "old" / "a.jsonl").write_text(text)
    both = "name: calls, uri: ./spans}\n    - {name: traces, uri: ./old"
    rewrite(folder / "attribution.yaml", "name: calls, uri: ./spans", both)
    assert landed(folder).again == 1
    rewrite(folder / "attribution.yaml", both, "name: calls, uri: ./spans")
    assert landed(folder).awaiting == 0
    assert awaiting_objects(opened(folder)).passed


def test_a_clock_that_was_off_by_centuries_asks_no_day_of_the_calendar(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = re.compile(r'"(start|end)TimeUnixNano": "\d+"')
    deliver(folder, "a.jsonl", *SPANS)
    deliver(
        folder, "odd.jsonl", stamps.sub(r'"\1TimeUnixNano": "86400000000000"', SPANS[0]),
        stamps.sub(r'"\1TimeUnixNano": "9000000000000000000"', SPANS[1]),
    )  # fmt: skip
    landed(folder)
    (folder / "spans" / "odd.jsonl").unlink()
    publish(folder)
    asked: list[date] = []
    in_force = PolicyBook.in_force

    def counted(book: PolicyBook, day: date) -> tuple[Policy, str]:
        asked.append(day)
        return in_force(book, day)

    monkeypatch.setattr(PolicyBook, "in_force", counted)
    assert landed(folder).awaiting == 1
    assert len(asked) < 10


# -- what is not known --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kept",
    [None, b"", b"{}", b"\xff", {"schema": 2, "waiting": []}, {"schema": 1}, {"schema": 1, "waiting": 7},
     {"schema": 1, "waiting": [7]}, {"schema": 1, "waiting": [{"kind": "spans"}]},
     {"schema": 1, "waiting": [{
         "kind": "spans", "source": "s", "delivery": "", "reason": "r", "objects": 1, "bytes": 1,
         "written_at": None, "paths": ["a"], "detail": "", "remedy": "", "more": 1}]}],
)  # fmt: skip
def test_what_waits_is_not_known_where_it_was_not_kept_as_it_is_read(
    folder: Path, kept: bytes | dict[str, Any] | None
) -> None:
    file = folder / "lake" / "landed" / "awaiting.json"
    file.parent.mkdir(parents=True)
    if kept is not None:
        file.write_bytes(kept if isinstance(kept, bytes) else with_digest(kept))
    answer = awaiting_objects(opened(folder))
    assert (answer.passed, answer.description) == (False, NOT_KNOWN)


def test_nobody_says_that_nothing_waits_where_it_is_not_known(folder: Path) -> None:
    landed(folder)
    file = folder / "lake" / "landed" / "awaiting.json"
    file.unlink()
    assert attribution(folder, "rejected").splitlines()[-1] == f"waits: {NOT_KNOWN}"
    assert "\nattribution_overdue_objects" not in attribution(folder, "metrics")
    landed(folder)
    assert NOT_KNOWN not in attribution(folder, "rejected")
    assert "\nattribution_overdue_objects 0.0" in attribution(folder, "metrics")


def test_landing_keeps_what_waits_anew_whatever_was_kept(folder: Path) -> None:
    publish(folder)
    landed(folder)
    for name in ("awaiting.json", "looked_for.json"):
        (folder / "lake" / "landed" / name).write_bytes(b"damaged")
    landed(folder)
    assert awaiting_objects(opened(folder)).passed
    looked = opened(folder).landed.looked()
    assert looked is not None
    assert (looked["landing"], looked["gone"]) == (3, {})


# -- copies that nobody reads ------------------------------------------------------------------------


def test_the_copy_that_was_read_for_less_goes_where_no_state_was_recorded_from_it(
    folder: Path,
) -> None:
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    (before,) = opened(folder).landed.files("spans")
    publish(folder)
    landed(folder)
    recorded(folder)
    later = datetime.now(UTC) + timedelta(days=500)
    assert plan(opened(folder).lake, later - timedelta(days=200), KEEP).files == []
    found = plan(opened(folder).lake, later, KEEP)
    assert [(one.held.name, one.why) for one in found.files] == [(before.path, "read_again")]
    assert found.sums() == {"read_again": (1, before.bytes)}
    assert apply_plan(opened(folder).lake, found, later)[0] == 1
    verify_lake(folder / "lake")
    assert replay(opened(folder), opened(folder).lake.states(DAY)[0]).code == 0
    with pytest.raises(
        Refusal, match=f"was pruned on {later:%Y-%m-%d}: what was read again stands"
    ):
        kept(folder, opened(folder).landed.replaced()[0].since)
