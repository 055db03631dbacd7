"""The one seam to storage: whole objects that appear at once, and Delta's commits.

Belongs here: what the lake needs of storage. Does not: how a folder or a bucket gives it
(``folder_store``, ``bucket_store``), what objects mean (everything else in ``lake``).

Names are relative and ``/`` separated. Nothing is renamed, appended to or deleted once it stands, so
an object store can give the same: an object is there whole or not at all, and of two writers that
create one name, one learns that it came second. A call that fails may have been carried out; whoever
calls looks again (``create_once``), or does the same once more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

LOG = "_delta_log"

Look = Literal["recent", "now", "whole"]
"""How an object is looked at that was read before: ``recent`` believes a look of a moment ago,
``now`` asks whether it is still the same, ``whole`` has every byte sent again. A folder's objects are
read where they lie, so there it makes no difference."""


class Store(Protocol):
    """Storage as the lake needs it. Whatever goes wrong is an ``OSError`` (Delta: ``DeltaError``)."""

    def where(self, name: str) -> str:
        """What messages call an object."""
        ...

    # -- objects -----------------------------------------------------------------------------

    def read(self, name: str) -> bytes:
        """A small object's content. Raises FileNotFoundError."""
        ...

    def expect(self, names: Sequence[str]) -> None:
        """These small objects are read next: storage that is far away may send for all of them at
        once. None: what was sent for and not read is forgotten."""
        ...

    def fetch(self, name: str, look: Look = "now") -> Path:
        """A local file with an object's content, not verified. Raises FileNotFoundError."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, without it, sorted. Empty where there is none."""
        ...

    def create(self, name: str, content: bytes) -> None:
        """A small object that stands for ever. Raises FileExistsError, also to who came second."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """A small object, new or over an older one."""
        ...

    def place(self, staged: Path, name: str) -> None:
        """Make a finished local file the object; the file is gone afterwards. The same bytes may be
        placed again: that heals an object that has rotted."""
        ...

    # -- working -----------------------------------------------------------------------------

    def scratch(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """A local folder from which ``place`` is cheap; removed at the end."""
        ...

    def exclusive(self, name: str) -> contextlib.AbstractContextManager[None]:
        """One holder at a time; it is let go of when the holder dies."""
        ...

    # -- Delta -------------------------------------------------------------------------------

    def create_table(self, name: str, schema: pa.Schema, properties: Mapping[str, str]) -> None:
        """A Delta table partitioned by ``charge_date``. Raises DeltaError where there is one."""
        ...

    def open_table(self, name: str, seen: DeltaTable | None = None) -> DeltaTable:
        """The table at its newest version; ``seen`` is a handle to bring forward."""
        ...

    def commit(
        self,
        name: str,
        table: DeltaTable,
        actions: Sequence[Any],
        schema: pa.Schema,
        metadata: Mapping[str, str],
    ) -> None:
        """One commit, the version after the one at which ``table`` stands, or none at all. Raises
        CommitFailedError where somebody else has that version."""
        ...

    def checkpoint(self, name: str, table: DeltaTable) -> None:
        """Sum up the log at the version at which ``table`` stands, for who reads it from there."""
        ...


def log_entry(table: str, version: int) -> str:
    """The name of a commit in a Delta table's log."""
    return f"{table}/{LOG}/{version:020d}.json"


def create_once(store: Store, name: str, content: bytes) -> None:
    """Create an object whose content is settled; that it stands already is no error.

    So is an answer that got lost. Raises OSError where something else stands, or nothing.
    """
    try:
        store.create(name, content)
    except OSError as error:
        try:
            found = store.read(name)
        except FileNotFoundError:
            raise error from None
        if found != content:
            raise
