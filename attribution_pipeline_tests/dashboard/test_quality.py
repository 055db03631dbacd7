"""What waits in the sources, as the quality page tells it."""

from __future__ import annotations

import html
from pathlib import Path

import pytest

from attribution_pipeline.model.policy import load_policies
from attribution_pipeline.sources.attributes import GONE, REMEDY
from attribution_pipeline.sources.awaiting import Waiting, as_document
from attribution_pipeline.views import rejected
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline_tests.dashboard.asking import ask

READ_BEFORE = Waiting(
    "spans",
    "traces",
    "",
    GONE,
    2,
    10,
    None,
    ("a.jsonl", "b.jsonl"),
    "stand as they were read",
    REMEDY,
)
UNREAD = Waiting(
    "billing",
    "aws",
    "",
    "half_written",
    1,
    10,
    None,
    ("c.csv",),
    "is half a bill",
    "deliver it again",
)


@pytest.mark.parametrize(
    ("accepted", "remedy"), [(1, REMEDY), (2, "accepted by `tolerance.not_read_again`")]
)
def test_files_that_a_tolerance_accepts_are_said_to_be_accepted(
    app, books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accepted: int, remedy: str
) -> None:
    said = f"policy: p\nversion: 1\neffective_from: 2026-10-01\ntolerance: {{not_read_again: {accepted}}}\n"
    (tmp_path / "policy-1.yaml").write_text(said)
    assert load_policies(tmp_path).newest.tolerance.not_read_again == accepted
    told = rejected.with_accepted
    monkeypatch.setattr(
        "attribution_pipeline.views.dashboard.pages.quality.with_accepted",
        lambda waiting, _: told(waiting, tmp_path),
    )
    monkeypatch.setattr(books.landed, "waiting", lambda: as_document([READ_BEFORE, UNREAD]))
    page = html.unescape(ask(app, "/quality").text).replace("<code>", "`").replace("</code>", "`")
    assert f"stand as they were read; {remedy}." in page
    assert "is half a bill; deliver it again." in page
    assert "1 file waits in the sources and was not read" in page
