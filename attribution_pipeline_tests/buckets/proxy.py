"""A proxy before S3 whose n-th answer goes wrong: an error, silence, half a body, a lost answer.

Belongs here: the proxy, the kinds of faults. Does not: what must hold after one.

Requests are counted from when a fault is armed. What goes through is not changed: signatures stay good.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import threading
from collections.abc import Iterator

KINDS = ("500", "503", "silent", "truncated", "lost", "reset")
"""``silent``: no answer in time. ``truncated``: the connection ends in the middle of the body.
``lost``: carried out, and the answer never comes. ``reset``: never carried out."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection: *[^\r]*", re.IGNORECASE)
_ERROR = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>canary-testsecret</Message></Error>"
_CODES = {"500": b"InternalError", "503": b"SlowDown"}
_WORDS = {"500": b"500 Internal Server Error", "503": b"503 Service Unavailable"}


class FaultyProxy:
    """On a port of its own while it is entered; ``port`` is then that."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._armed = threading.Lock()
        self._stop = threading.Event()
        self.disarm()

    def arm(self, kind: str, nth: int, *, for_ever: bool = False) -> None:
        """The ``nth`` request from now on goes wrong; with ``for_ever`` all from it on."""
        with self._armed:
            self._kind, self._nth, self._for_ever = kind, nth, for_ever
            self._count = itertools.count(1)
            self.seen = 0
            self.hit = ""

    def disarm(self) -> None:
        """Count on, and let everything through."""
        self.arm("", 0)

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultyProxy]:
        """Serve until left."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]
            listening.settimeout(0.1)
            serving = threading.Thread(target=self._serve, args=(listening,), daemon=True)
            serving.start()
            try:
                yield self
            finally:
                self._stop.set()
                serving.join()

    def _serve(self, listening: socket.socket) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = listening.accept()
                threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        # a client that goes away in the middle is no trouble of ours
        with client, contextlib.suppress(OSError):
            client.settimeout(60)
            head, body = self._request(client)
            if head:
                self._answer(client, head, body, self._fault(head))

    def _request(self, client: socket.socket) -> tuple[bytes, bytes]:
        found = b""
        while b"\r\n\r\n" not in found:
            part = client.recv(65536)
            if not part:
                return b"", b""
            found += part
        head, _, body = found.partition(b"\r\n\r\n")
        if _EXPECT.search(head):
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = _EXPECT.sub(b"", head)
        length = _LENGTH.search(head)
        parts, held = [body], len(body)
        while length and held < int(length[1]):
            parts.append(client.recv(1 << 20))
            held += len(parts[-1])
            if not parts[-1]:
                return b"", b""
        return head, b"".join(parts)

    def _fault(self, head: bytes) -> str:
        with self._armed:
            number = next(self._count)
            self.seen = number
            wrong = number == self._nth or (self._for_ever and number > self._nth > 0)
            if not wrong:
                return ""
            self.hit = self.hit or head.split(b"\r\n")[0].decode()
            return self._kind

    def _answer(self, client: socket.socket, head: bytes, body: bytes, fault: str) -> None:
        if fault in _WORDS:
            text = _ERROR % _CODES[fault]
            client.sendall(b"HTTP/1.1 %s\r\nContent-Type: application/xml\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (_WORDS[fault], len(text), text))  # fmt: skip
            return
        if fault == "reset":
            return
        if fault == "silent":
            self._stop.wait(60)
            return
        answer = self._forwarded(head, body)
        if fault == "lost":
            return
        if fault == "truncated":
            start, _, content = answer.partition(b"\r\n\r\n")
            answer = start + b"\r\n\r\n" + content[: len(content) // 2] if content else b""
        client.sendall(answer)

    def _forwarded(self, head: bytes, body: bytes) -> bytes:
        head = _CONNECTION.sub(b"", head) + b"\r\nConnection: close\r\n\r\n"
        parts = []
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            server.sendall(head + body)
            while part := server.recv(1 << 20):
                parts.append(part)
        return b"".join(parts)
