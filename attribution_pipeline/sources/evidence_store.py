"""Where landed evidence goes, as landing needs it: a protocol, because ``sources`` knows no lake.

Belongs here: the methods that landing calls. Does not: how they are done (``lake.landed``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

import pyarrow as pa

Objects = Mapping[str, Set[str]]
"""Source -> object ids."""


class Record(Protocol):
    """One object as it was met under one path."""

    @property
    def source(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def object_id(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def read(self) -> bool: ...
    @property
    def delivery(self) -> str: ...
    @property
    def delivery_order(self) -> str: ...
    @property
    def refused(self) -> bool: ...
    @property
    def rows(self) -> Mapping[str, int]: ...
    @property
    def rejected(self) -> Mapping[str, int]: ...
    @property
    def day_from(self) -> date | None: ...
    @property
    def day_to(self) -> date | None: ...


class BilledPeriod(Protocol):
    """An object's part in the bill of an account and period."""

    @property
    def object_id(self) -> str: ...
    @property
    def delivery(self) -> str: ...
    @property
    def order(self) -> str: ...
    @property
    def key(self) -> tuple[str, str]: ...


class Writer(Protocol):
    """One landing in the making. Rows and rejected records are of the current object."""

    rows: int

    def add(self, table: str, source: str, rows: pa.Table) -> None: ...

    def add_rejected(
        self,
        kind: str,
        source: str,
        object_id: str,
        uri: str,
        rejected: Iterable[tuple[int, str, str]],
    ) -> None: ...

    def add_object(
        self,
        *,
        kind: str,
        source: str,
        uri: str,
        path: str,
        fingerprint: str,
        size: int,
        object_id: str,
        delivery: str = "",
        delivery_order: str = "",
        read: bool = True,
        refused: bool = False,
        rounding_moved: Decimal = Decimal(0),
        again: bool = False,
        takes_back: Sequence[str] = (),
    ) -> Record: ...

    def discard_object(self) -> None: ...

    def commit(self) -> int | None: ...


class EvidenceStore(Protocol):
    """Everything landed so far, and a way to land more."""

    def exclusive(self) -> AbstractContextManager[None]: ...

    def refresh(self) -> None: ...

    def open_batch(self, attributes: Collection[str] = ()) -> AbstractContextManager[Writer]: ...

    @property
    def head(self) -> tuple[int, str]: ...

    def keep_waiting(self, waiting: Sequence[dict[str, Any]]) -> None: ...

    def looked(self) -> Mapping[str, Any] | None: ...

    def keep_looked(self, looked: Mapping[str, Any]) -> None: ...

    def met_since(self, ordinal: int) -> Sequence[Record]: ...

    def spans_alone(
        self, objects: Objects, others: Objects, day: date
    ) -> Mapping[tuple[str, str], int]: ...

    def objects_sharing(
        self, objects: Objects, others: Objects, day: date
    ) -> Collection[tuple[str, str]]: ...

    def newest(self, kind: str, source: str) -> Mapping[str, Record]: ...

    def objects(self, kind: str | None = None, source: str | None = None) -> Sequence[Record]: ...

    def billed_periods(self, source: str) -> Sequence[BilledPeriod]: ...

    def attributes_read(self, source: str) -> Mapping[str, frozenset[str] | None]: ...
