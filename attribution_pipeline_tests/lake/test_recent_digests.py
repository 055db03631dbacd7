"""A run hashes a file once, and again as soon as somebody has written to it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from attribution_pipeline.lake import files
from attribution_pipeline.lake.files import StoredFile, recent_sha256_of, sha256_of, verified
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.model.errors import Refusal

LONG_AGO_NS = 10**18


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is really read."""
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return sha256_of(path)

    monkeypatch.setattr(files, "sha256_of", counted)
    monkeypatch.setattr(files, "_RECENT", {})
    return read


def written(path: Path, content: bytes) -> Path:
    """A file that nobody wrote to for a while."""
    path.write_bytes(content)
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    return path


def test_a_file_is_hashed_once_a_run(tmp_path: Path, hashed: list[Path]):
    path = written(tmp_path / "a", b"a")
    assert recent_sha256_of(path) == recent_sha256_of(path) == sha256_of(path)
    assert hashed == [path]
    moved = path.rename(tmp_path / "b")
    assert recent_sha256_of(moved) == sha256_of(moved)
    assert hashed == [path]


def test_a_file_that_was_written_to_is_hashed_again(tmp_path: Path, hashed: list[Path]):
    path = written(tmp_path / "a", b"a")
    before = recent_sha256_of(path)
    path.write_bytes(b"b")
    assert recent_sha256_of(path) != before
    assert len(hashed) == 2


def test_a_file_of_this_moment_is_hashed_every_time(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a"
    path.write_bytes(b"a")
    now = path.stat().st_mtime_ns
    monkeypatch.setattr(time, "time_ns", lambda: now + files.TICK_NS)
    recent_sha256_of(path)
    recent_sha256_of(path)
    assert len(hashed) == 2


def test_a_digest_of_long_ago_is_not_believed(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
):
    path = written(tmp_path / "a", b"a")
    recent_sha256_of(path)
    then = time.monotonic() + files.RECENT_S
    monkeypatch.setattr(time, "monotonic", lambda: then)
    recent_sha256_of(path)
    assert len(hashed) == 2


def test_whoever_looks_for_rot_reads_every_byte(tmp_path: Path, hashed: list[Path]):
    path = written(tmp_path / "a", b"a")
    stored = StoredFile("a", sha256_of(path), 1, 0)
    store = FolderStore(tmp_path)
    verified(store, stored)
    path.write_bytes(b"b")
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))  # bits that rot change no time
    verified(store, stored)
    with pytest.raises(Refusal, match="was changed"):
        verified(store, stored, anew=True)
