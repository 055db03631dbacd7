"""A server that creates an object twice is refused by name before anything of ours is written to it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from attribution_pipeline.buckets import Access, Bucket
from attribution_pipeline.buckets.client import PROBE, Client
from attribution_pipeline.model.errors import Refusal

Asked = list[tuple[str, str]]


@contextlib.contextmanager
def server(*, keeps_to_it: bool) -> Iterator[tuple[str, Asked]]:
    """As much of S3 as creating takes; what it was asked to write: key, condition."""
    asked: Asked = []
    objects: set[str] = set()

    class Answer(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append((self.path, self.headers.get("if-none-match", "")))
            refused = keeps_to_it and self.path in objects
            objects.add(self.path)
            self.send_response(412 if refused else 200)
            self.send_header("ETag", '"e"')
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http:
        serving = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}", asked
        finally:
            http.shutdown()
            serving.join()


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")


def place(url: str) -> Bucket:
    return Bucket("costs", "lake", Access(url, "us-east-1", attempts=2))


def test_server_that_ignores_the_condition_is_refused_before_anything_is_written() -> None:
    with server(keeps_to_it=False) as (url, asked):
        for _ in range(2):
            with pytest.raises(Refusal, match="s3://costs/lake: the server overwrites objects"):
                Client(place(url)).create("landed/index/1.json", b"{}")
    assert {path for path, _ in asked} == {f"/costs/lake/{PROBE}"}


def test_server_that_keeps_to_it_is_asked_once_in_a_process() -> None:
    with server(keeps_to_it=True) as (url, asked):
        for name in ("1", "2"):
            Client(place(url)).create(name, b"{}")
        with pytest.raises(FileExistsError):
            Client(place(url)).create("1", b"other")
    probe = (f"/costs/lake/{PROBE}", "*")
    assert asked[:2] == [probe, probe]
    assert [path for path, _ in asked[2:]] == ["/costs/lake/1", "/costs/lake/2", "/costs/lake/1"]
