"""Servers on loopback that answer as OpenCost, OpenAI, Anthropic and a Kubernetes API server do, and
every way in which they do not."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attribution_pipeline_tests.sources.opencost_answers import container, node


@dataclass(frozen=True)
class Asked:
    """One request as the server got it."""

    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]

    def one(self, name: str) -> str:
        (value,) = self.query[name]
        return value


@dataclass
class Reply:
    """One answer, good by default."""

    body: bytes | Any = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut_at: int | None = None
    """Bytes after which the connection is closed, though more was announced."""
    drip: float = 0
    """Seconds between two bytes."""
    chunked: bool = False

    @property
    def content(self) -> bytes:
        return (
            self.body if isinstance(self.body, bytes) else json.dumps(self.body, indent=2).encode()
        )


@dataclass
class Server:
    """A running server and what it was asked."""

    url: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]


@contextlib.contextmanager
def serving(
    answer: Callable[[Asked], Reply], tls: tuple[Path, Path] | None = None
) -> Iterator[Server]:
    """A server on a port of its own, for as long as the block lasts. ``tls``: certificate, key."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(parts.path, parse_qs(parts.query), dict(self.headers.items()))
            server.asked.append(asked)
            # who was asked too long or too much has hung up
            with contextlib.suppress(ConnectionError):
                _write(self, answer(asked))

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: pytest shows what failed."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http{'s' if tls else ''}://127.0.0.1:{httpd.server_port}")
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        httpd.handle_error = lambda *_: None  # type: ignore[method-assign]  # who trusts us not hangs up
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _write(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    content = reply.content
    handler.send_response(reply.status)
    if reply.content_type:
        handler.send_header("Content-Type", reply.content_type)
    if reply.chunked:
        handler.send_header("Transfer-Encoding", "chunked")
        content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    else:
        handler.send_header("Content-Length", str(len(content)))
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    if reply.drip:
        for byte in content:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(reply.drip)
        return
    handler.wfile.write(content[: reply.cut_at])
    if reply.cut_at is not None:
        handler.wfile.flush()
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)


def sequence(*replies: Reply) -> Callable[[Asked], Reply]:
    """These answers one after another; the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


# -- OpenCost ------------------------------------------------------------------------------------


def opencost(asked: Asked) -> Reply:
    """What OpenCost answers: one container and one node of the window's day."""
    start, end = asked.one("window").split(",")
    window = {"start": start, "end": end}
    if asked.path == "/allocation":
        row = container(window=window, start=start, end=end)
        return Reply({"code": 200, "status": "success", "data": [{row["name"]: row}]})
    asset = node(window=window, start=start, end=end)
    return Reply({"code": 200, "status": "success", "data": {"k/node-1": asset}})


# -- vendors' cost APIs --------------------------------------------------------------------------


def _days(first: datetime, last: datetime) -> list[date]:
    return [(first + timedelta(days=n)).date() for n in range((last - first).days)]


def _page(asked: Asked, buckets: list[dict[str, Any]], size: int) -> dict[str, Any]:
    at = int(asked.query.get("page", ["page_0"])[0].removeprefix("page_"))
    more = at + size < len(buckets)
    return {
        "data": buckets[at : at + size],
        "has_more": more,
        "next_page": f"page_{at + size}" if more else None,
    }


def openai(asked: Asked, page_size: int = 20) -> Reply:
    """Organization costs and usage: unix seconds, floats, pages of buckets."""
    start = datetime.fromtimestamp(int(asked.one("start_time")), UTC)
    end = datetime.fromtimestamp(int(asked.one("end_time")), UTC)
    results = {
        "/v1/organization/costs": [
            _openai_cost("gpt-5.5-2026-04-23, input", 0.1234567890123),
            _openai_cost("gpt-5.5-2026-04-23, output", 2.5),
            _openai_cost("web search tool calls", 0.01),
        ],
        "/v1/organization/usage/completions": [
            {
                "object": "organization.usage.completions.result", "input_tokens": 1000,
                "input_cached_tokens": 400, "output_tokens": 50, "num_model_requests": 3,
                "project_id": "proj_a", "model": "gpt-5.5-2026-04-23", "batch": False,
            }
        ],
        "/v1/organization/usage/embeddings": [],
    }[asked.path]  # fmt: skip
    buckets = []
    for day in _days(start, end):
        at = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        buckets.append(
            {"object": "bucket", "start_time": at, "end_time": at + 86_400, "results": results}
        )
    return Reply({"object": "page", **_page(asked, buckets, page_size)})


def _openai_cost(item: str, value: float) -> dict[str, Any]:
    return {
        "object": "organization.costs.result", "amount": {"value": value, "currency": "usd"},
        "line_item": item, "project_id": "proj_a", "organization_id": "org-1",
    }  # fmt: skip


def anthropic(asked: Asked, page_size: int = 20) -> Reply:
    """Cost and usage report: RFC 3339, decimal strings in cents, pages of buckets."""
    start = datetime.fromisoformat(asked.one("starting_at"))
    end = datetime.fromisoformat(asked.one("ending_at"))
    where = {"workspace_id": None, "model": "claude-sonnet-4-5", "context_window": "0-200k",
             "service_tier": "standard", "inference_geo": "global"}  # fmt: skip
    results: list[dict[str, Any]] = {
        "/v1/organizations/cost_report": [
            {**where, "amount": "123.45678", "currency": "USD", "cost_type": "tokens",
             "token_type": "uncached_input_tokens", "description": "Claude Sonnet 4.5 Usage"},
        ],
        "/v1/organizations/usage_report/messages": [
            {**where, "uncached_input_tokens": 1500, "cache_read_input_tokens": 0,
             "cache_creation": {"ephemeral_1h_input_tokens": 7, "ephemeral_5m_input_tokens": 0},
             "output_tokens": 500, "server_tool_use": {"web_search_requests": 2},
             "api_key_id": None},
        ],
    }[asked.path]  # fmt: skip
    buckets = [
        {
            "starting_at": f"{day}T00:00:00Z",
            "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
            "results": results,
        }
        for day in _days(start, end)
    ]
    return Reply(_page(asked, buckets, page_size))


# -- Kubernetes ----------------------------------------------------------------------------------


def kubernetes(objects: Mapping[str, list[dict[str, Any]]]) -> Callable[[Asked], Reply]:
    """An API server with these objects by path, one object a page."""

    def answer(asked: Asked) -> Reply:
        found = objects.get(asked.path, [])
        at = int(asked.query.get("continue", ["0"])[0])
        metadata = {"resourceVersion": "1"}
        if at + 1 < len(found):
            metadata["continue"] = str(at + 1)
        listed = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                  "metadata": metadata, "items": found[at : at + 1]}  # fmt: skip
        return Reply(listed)

    return answer
