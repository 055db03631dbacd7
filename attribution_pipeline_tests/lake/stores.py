"""Storage that a test can interfere with: do something before or after a call, once or always."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attribution_pipeline.lake.store import FolderStore

Act = Callable[[], object]


class Killed(BaseException):
    """A kill, as far as Python code can tell."""


class HookedStore(FolderStore):
    """``before[call, name]`` and ``after[call, name]`` are called around ``call`` on ``name``.

    Each acts once; ``locks=False`` lets everyone in, as if each writer had a machine of its own.
    """

    def __init__(self, root: Path, *, locks: bool = True) -> None:
        super().__init__(root)
        self.before: dict[tuple[str, str], Act] = {}
        self.after: dict[tuple[str, str], Act] = {}
        self._locks = locks

    def __getattribute__(self, call: str) -> Any:
        made = super().__getattribute__(call)
        if call not in ("read", "create", "replace", "place", "create_table", "commit"):
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
        with super().exclusive(name) if self._locks else contextlib.nullcontext():
            yield


def raising(error: BaseException) -> Act:
    """Something that fails."""

    def act() -> None:
        raise error

    return act
