"""Real receivers on loopback: an HTTP listener and a mail server. No port is fixed, none is outside."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """What a listener was sent, and what it answers with."""

    url: str
    answers: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    """Requests, refused ones too."""

    @property
    def titles(self) -> list[str]:
        return [body["title"] for body in self.bodies]


@contextmanager
def listening(path: str = "/hook/s3cret-token") -> Iterator[Received]:
    """An Apprise ``json://`` URL that a real listener answers."""
    received = Received("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            received.asked += 1
            if received.answers < 400 and self.path == path:
                received.bodies.append(json.loads(content))
            self.send_response(received.answers if self.path == path else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    received.url = f"json://127.0.0.1:{server.server_port}{path}"
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def mailbox() -> Iterator[tuple[str, list[Any]]]:
    """An Apprise ``mailto://`` URL, and the messages that a real mail server took."""
    from email import message_from_bytes, policy

    from aiosmtpd.controller import Controller

    taken: list[Any] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            taken.append(message_from_bytes(envelope.content, policy=policy.default))
            return "250 OK"

    class AnyPort(Controller):
        """aiosmtpd knocks at the port that it was given: here, at the one that it got."""

        def _trigger_server(self) -> None:
            assert self.server is not None
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    controller = AnyPort(Handler(), hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield (
            f"mailto://127.0.0.1:{controller.port}?from=attribution@example.com&to=oncall@example.com"
            "&mode=insecure",
            taken,
        )
    finally:
        controller.stop()
