"""Where a lake can stand: a folder, or a prefix of a bucket.

Belongs here: the choice of the store for a place. Does not: the stores.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from attribution_pipeline.buckets import Bucket
from attribution_pipeline.lake.bucket_store import BucketStore
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.lake.store import Store

Place = Path | Bucket


def open_store(place: Place) -> Store:
    """Storage at a place. Nothing is looked up or made there yet."""
    return BucketStore(place) if isinstance(place, Bucket) else FolderStore(Path(place))


@contextlib.contextmanager
def passing_store(place: Place) -> Iterator[Store]:
    """Storage for whoever reads or writes a whole lake once: a bucket leaves nothing on this machine
    afterwards, and little meanwhile."""
    if not isinstance(place, Bucket):
        yield FolderStore(Path(place))
        return
    store = BucketStore(place, passing=True)
    try:
        yield store
    finally:
        store.close()
