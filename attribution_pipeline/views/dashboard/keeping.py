"""Answers that were made before: kept while there is room, and made behind a page where they take long.

Belongs here: how many and how large, who makes one, who waits for it. Does not: what is asked, and what
an answer depends on, which is its key (``books``).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

Key = tuple[object, ...]

ANSWERS = 512
"""Answers kept; most are a table of a page, so some megabytes altogether."""

BYTES = 256 * 2**20
"""What answers take together, as their ``nbytes`` say: a wide place of a busy day has a table of all its
calls, 30 megabytes each."""

SLOW_AT_ONCE = 2
"""Answers that take long and are made at a time: an explanation does not keep a call's outcome."""


class Answers:
    """Safe for threads. The answer that was asked for last goes last; the newest stays, however large."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[Key, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._pending: dict[Key, Future[Any]] = {}
        self._workers = ThreadPoolExecutor(SLOW_AT_ONCE, "slow")

    def close(self) -> None:
        """What is being made is not waited for."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def kept(self, key: Key, make: Callable[[], T]) -> T:
        """An answer that was made before, or made now. Keys name all that it depends on."""
        with self._lock:
            if key in self._made:
                found: T = self._asked_for(key)
                return found
        made = make()
        size = int(getattr(made, "nbytes", 0))
        with self._lock:
            if key in self._made:
                self._bytes -= self._made.pop(key)[1]
            self._made[key] = made, size
            self._bytes += size
            while len(self._made) > ANSWERS or (self._bytes > BYTES and len(self._made) > 1):
                self._bytes -= self._made.popitem(last=False)[1][1]
        return made

    def later(self, key: Key, make: Callable[[], T], patience_s: float | None) -> T | None:
        """``kept``; but None where it takes longer than ``patience_s`` (None: it is waited for). It is
        made meanwhile, once however often it is asked for. Raises what making it raised."""
        if patience_s is None:
            return self._waited_for(key, make)
        with self._lock:
            if key in self._made:
                found: T = self._asked_for(key)
                return found
            if key not in self._pending:
                self._pending[key] = self._workers.submit(self._behind, key, make)
            pending = self._pending[key]
        try:
            found = pending.result(patience_s)
        except (TimeoutError, CancelledError):  # cancelled: who waits for it makes it
            return None
        finally:
            self._forget(key, pending)
        return found

    def _asked_for(self, key: Key) -> Any:
        """What is kept under a key, which goes last now. The lock is held."""
        self._made.move_to_end(key)
        return self._made[key][0]

    def is_pending(self, key: Key) -> bool:
        """Whether it is being made behind a page."""
        with self._lock:
            return key in self._pending

    def _waited_for(self, key: Key, make: Callable[[], T]) -> T:
        """What is being made is waited for; what only stands in the queue is made here."""
        with self._lock:
            pending = self._pending.get(key)
        if pending is None or pending.cancel():
            if pending is not None:
                self._forget(key, pending)
            return self.kept(key, make)
        try:
            found: T = pending.result()
        finally:
            self._forget(key, pending)
        return found

    def _behind(self, key: Key, make: Callable[[], T]) -> T:
        """``kept`` by a worker. What failed stays pending, so that who asks next is told."""
        made = self.kept(key, make)
        with self._lock:
            self._pending.pop(key, None)
        return made

    def _forget(self, key: Key, pending: Future[Any]) -> None:
        with self._lock:
            if pending.done() and self._pending.get(key) is pending:
                del self._pending[key]
