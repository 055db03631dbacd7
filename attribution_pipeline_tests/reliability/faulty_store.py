"""Storage whose n-th call goes wrong: an error, no space, a timeout before or after, a short answer.

Belongs here: the wrapper around any ``lake.store.Store``, the kinds of faults. Does not: what must
hold after one (``faults``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

READS = frozenset({"read", "fetch", "exists", "names", "open_table"})
WRITES = frozenset({"create", "replace", "place", "create_table", "commit", "checkpoint"})
HELD = frozenset({"scratch", "exclusive"})
"""Context managers: what goes wrong goes wrong as they are entered."""
DELTA = frozenset({"open_table", "create_table", "commit", "checkpoint"})
"""Calls into delta-rs, which has an error of its own."""
PURE = frozenset({"where", "expect"})

KINDS = ("error", "no_space", "timeout_before", "timeout_after", "short_answer")


class FaultyStore:
    """``inner`` with one call that goes wrong, or with all of them from one on.

    ``sequence`` names every call so far; ``hit`` the method that the fault met, "" while it met none.
    """

    def __init__(self, inner: Any, kind: str = "", nth: int = 0, *, for_ever: bool = False) -> None:
        self.inner = inner
        self.kind = kind
        self.nth = nth
        self.for_ever = for_ever
        self.sequence: list[str] = []
        self.hit = ""
        self._short: Path | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name in HELD:
            return self._held(name, found)
        if name in READS | WRITES:
            return self._called(name, found)
        if name in PURE or name == "root":
            return found
        raise AttributeError(f"the fault injector does not know Store.{name}: say what it is")

    @property
    def calls(self) -> int:
        return len(self.sequence)

    def close(self) -> None:
        if self._short is not None:
            shutil.rmtree(self._short)

    def _called(self, name: str, found: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if not self._goes_wrong(name):
                return found(*arguments, **named)
            if self.kind == "short_answer":
                return self._shortened(name, found(*arguments, **named))
            if self.kind == "timeout_after":
                found(*arguments, **named)
            raise self._error(name, arguments)

        return call

    def _held(self, name: str, found: Callable[..., Any]) -> Callable[..., Any]:
        @contextlib.contextmanager
        def held(*arguments: Any) -> Iterator[Any]:
            wrong = self._goes_wrong(name)
            if wrong and self.kind != "timeout_after":
                raise self._error(name, arguments)
            with found(*arguments) as value:
                if wrong:
                    raise self._error(name, arguments)
                yield value

        return held

    def _goes_wrong(self, name: str) -> bool:
        self.sequence.append(name)
        if not (self.calls == self.nth or (self.for_ever and self.calls > self.nth > 0)):
            return False
        if not applies(self.kind, name):
            return False
        self.hit = self.hit or name
        return True

    def _error(self, name: str, arguments: tuple[Any, ...]) -> Exception:
        where = self.inner.where(str(arguments[-1] if name == "place" else arguments[0]))
        if name in DELTA:
            from deltalake.exceptions import CommitFailedError, DeltaError

            said = f"Generic LocalFileSystem error: {self.kind} at {where}"
            return CommitFailedError(said) if name == "commit" else DeltaError(said)
        if self.kind.startswith("timeout"):
            return TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), where)
        number = errno.ENOSPC if self.kind == "no_space" else errno.EIO
        return OSError(number, os.strerror(number), where)

    def _shortened(self, name: str, answer: Any) -> Any:
        if name == "read":
            return answer[: len(answer) // 2]
        if name == "fetch":
            content = answer.read_bytes()
            self._short = self._short or Path(tempfile.mkdtemp(prefix="short-answers-"))
            short = self._short / answer.name
            short.write_bytes(content[: len(content) // 2])
            return short
        if name == "names":
            return answer[:-1]  # a listing that has not heard of the newest yet
        if name == "open_table":
            if answer.version() > 0:
                answer.load_as_version(answer.version() - 1)
            return answer
        return False  # exists


def applies(kind: str, name: str) -> bool:
    """Whether a fault of this kind can befall a method, other than as another kind does."""
    if kind == "short_answer":
        return name in READS
    if kind in ("timeout_after", "no_space"):
        return name not in READS
    return True
