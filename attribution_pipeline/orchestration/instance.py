"""The Dagster instance that headless runs are told to: one that is kept, or one that lives in memory.

Belongs here: finding it, and making the one in memory cheap. Does not: what is run on it (``run``).

A day's run writes about a hundred events. Dagster's in-memory storages are SQLite, and open a
connection of its own for each of some 300 looks and writes a day, two pragmas first; here the thread
that made a storage keeps using the one connection that the storage holds anyway. Both methods are
Dagster's own and may go in a later minor: then runs cost what they cost before.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import dagster as dg


@contextlib.contextmanager
def headless_instance() -> Iterator[dg.DagsterInstance]:
    """``$DAGSTER_HOME``'s where it is set, so that the UI shows runs; else one that ends with them.

    Raises Refusal where the folder that it names is not there.
    """
    import dagster as dg

    home = os.environ.get("DAGSTER_HOME")
    if not home:
        with _in_memory() as instance:
            yield instance
        return
    try:
        found = dg.DagsterInstance.get()
    except dg.DagsterError as error:
        raise Refusal(
            " ".join(str(error).split()),
            where=f"$DAGSTER_HOME {home}",
            remedy="name an existing folder by its full path, or unset it",
        ) from error
    with found as instance:
        yield instance


def _in_memory() -> dg.DagsterInstance:
    import dagster as dg

    instance = dg.DagsterInstance.ephemeral()
    for storage, method in (
        (instance.event_log_storage, "_connect"),
        (instance.run_storage, "connect"),
    ):
        if hasattr(storage, "_held_conn") and hasattr(storage, method):
            setattr(storage, method, _Held(storage._held_conn, getattr(storage, method)))
    return instance


class _Held:
    """Hands out the connection that a storage holds, in a transaction, to the thread that made it and
    when nobody has it; else the storage's own way."""

    def __init__(self, connection: Any, own_way: Any) -> None:
        self._connection, self._own_way = connection, own_way
        self._thread = threading.get_ident()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Any]:
        if threading.get_ident() != self._thread or self._connection.in_transaction():
            with self._own_way() as connection:
                yield connection
            return
        with self._connection.begin():
            yield self._connection
