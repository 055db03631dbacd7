"""Asking the dashboard without a socket, and what its pages say."""

from __future__ import annotations

import asyncio
import gzip
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

HOST = "127.0.0.1:3001"


@dataclass(frozen=True)
class Answer:
    """What a browser gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def links(self) -> list[str]:
        """Addresses that the page leads to, unescaped."""
        return [html.unescape(found) for found in re.findall(r'href="([^"]*)"', self.text)]

    def first_link(self, *parts: str) -> str:
        """The first address with all of these in it, as the reader sees them."""
        found = [one for one in self.links if all(part in unquote_plus(one) for part in parts)]
        assert found, f"no link with {parts} among {self.links}"
        return found[0]


def ask(app: Any, url: str, *, method: str = "GET", host: str = HOST) -> Answer:
    """One request, by ASGI."""
    path, _, query = url.partition("?")
    sent: list[dict[str, Any]] = []

    bodies = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        while not bodies:
            await asyncio.sleep(3600)  # nobody hangs up
        return bodies.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": query.encode(), "headers": [(b"host", host.encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 3001),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    start = next(one for one in sent if one["type"] == "http.response.start")
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    body = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Answer(start["status"], headers, body)
