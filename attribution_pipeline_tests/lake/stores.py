"""Storage that a test can interfere with: do something before or after a call, once or always."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from attribution_pipeline.lake.places import Place, open_store

Act = Callable[[], object]

HOOKED = ("read", "create", "replace", "place", "create_table", "commit")


class Killed(BaseException):
    """A kill, as far as Python code can tell."""


class HookedStore:
    """``before[call, name]`` and ``after[call, name]`` are called around ``call`` on ``name``.

    Each acts once; ``locks=False`` lets everyone in, as if each writer had a machine of its own.
    """

    def __init__(self, root: Place, *, locks: bool = True) -> None:
        self.inner: Any = open_store(root)
        self.before: dict[tuple[str, str], Act] = {}
        self.after: dict[tuple[str, str], Act] = {}
        self._locks = locks

    def __getattr__(self, call: str) -> Any:
        made = getattr(self.inner, call)
        if call not in HOOKED:
            return made

        def hooked(*arguments: Any) -> Any:
            name = arguments[1] if call == "place" else arguments[0]
            self.before.pop((call, name), lambda: None)()
            answer = made(*arguments)
            self.after.pop((call, name), lambda: None)()
            return answer

        return hooked

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        with self.inner.exclusive(name) if self._locks else contextlib.nullcontext():
            yield


def raising(error: BaseException) -> Act:
    """Something that fails."""

    def act() -> None:
        raise error

    return act
