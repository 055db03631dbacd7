"""What stands after a number of landings, worked out once for each table and looked up by day.

Belongs here: which objects' rows count, which files may hold a day. Does not: the index itself
(``index``), what callers ask besides (``store``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cached_property

from attribution_pipeline.lake.landed.index import Landing
from attribution_pipeline.lake.landed.records import (
    EVERY_OBJECT_STANDS,
    KIND_OF_TABLE,
    LandedFile,
)


def standing_files(table: str, landings: Sequence[Landing]) -> list[LandedFile]:
    """Files of a table that no later landing stands instead of, older to newer.

    A file that comes out of reading again as it was is named by both landings, and stands.
    """
    found: dict[str, LandedFile] = {}
    for landing in landings:
        for path in landing.replaces:
            found.pop(path, None)
        found.update((file.path, file) for file in landing.files if file.table == table)
    return list(found.values())


LONG_DAYS = 400
"""A file that touches more days than a year's bill is looked at for every day instead of being
listed under each."""


class Standing:
    """Answers about one table from a fixed number of landings."""

    def __init__(self, table: str, landings: Sequence[Landing]) -> None:
        self._table = table
        self._landings = landings

    @cached_property
    def objects(self) -> dict[str, list[str]]:
        """Source -> ids of the objects whose rows count, older to newer.

        Of kinds in ``EVERY_OBJECT_STANDS`` every object. Else the newest readable content of each
        path; a refused one replaces nothing. Only objects with rows in the table are named.
        """
        kind = KIND_OF_TABLE[self._table]
        with_rows: set[tuple[str, str]] = set()
        standing: dict[tuple[str, str], tuple[int, str]] = {}
        records = (record for landing in self._landings for record in landing.of_kind.get(kind, ()))
        for number, record in enumerate(records):
            if record.refused:
                continue
            if record.rows.get(self._table):
                with_rows.add((record.source, record.object_id))
            path = record.object_id if kind in EVERY_OBJECT_STANDS else record.path
            standing[record.source, path] = (number, record.object_id)
        ids: dict[str, dict[str, None]] = {}
        for (source, _), (_, object_id) in sorted(standing.items(), key=lambda item: item[1][0]):
            if (source, object_id) in with_rows:
                of_source = ids.setdefault(source, {})
                of_source.pop(object_id, None)  # the same content under a newer path is newer
                of_source[object_id] = None
        return {source: list(found) for source, found in sorted(ids.items())}

    def files(self, day_from: date | None, day_to: date | None) -> list[LandedFile]:
        """Files that may hold standing rows touching those days (inclusive, open where null)."""
        if day_from is None or day_to is None:
            found = {file.path: file for file in self._files if file.touches(day_from, day_to)}
        else:
            found = {file.path: file for file in self._long if file.touches(day_from, day_to)}
            for day in self._days_between(day_from, day_to):
                found.update((file.path, file) for file in self._by_day.get(day, ()))
        return [found[path] for path in sorted(found)]

    def _days_between(self, first: date, last: date) -> list[date]:
        """Days from first to last that have files, at least: a clock that was off by decades makes a
        range of tens of thousands."""
        many = (last - first).days + 1
        if many > len(self._by_day):
            return [day for day in self._by_day if first <= day <= last]
        return [first + timedelta(days=offset) for offset in range(many)]

    @cached_property
    def _files(self) -> list[LandedFile]:
        current = {(source, one) for source, ids in self.objects.items() for one in ids}
        return [
            file
            for file in standing_files(self._table, self._landings)
            if not file.objects or any((file.source, one) in current for one in file.objects)
        ]

    @cached_property
    def _long(self) -> list[LandedFile]:
        return [file for file in self._files if _days(file) > LONG_DAYS]

    @cached_property
    def _by_day(self) -> dict[date, list[LandedFile]]:
        found: dict[date, list[LandedFile]] = {}
        for file in self._files:
            if file.day_from is None or _days(file) > LONG_DAYS:
                continue
            for offset in range(_days(file)):
                found.setdefault(file.day_from + timedelta(days=offset), []).append(file)
        return found


def _days(file: LandedFile) -> int:
    if file.day_from is None or file.day_to is None:
        return 0
    return (file.day_to - file.day_from).days + 1
