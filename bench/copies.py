"""A day many times as large: the landed rows of a smaller one, copied under names of their own.

Belongs here: what a copy of a span is called and when it was, a bill that fits, landing both. Does
not: the smaller day (``generate``), which is written as text and landed as any other.

Ten and thirty million spans as OTLP text would be 15 to 45 GB and an hour of landing, which has a
bench of its own. What the day reads is landed Parquet, so its rows are made from landed rows: every
object of the smaller day keeps its name and holds all copies of its spans, and ``LandingWriter``
groups, splits, encodes and indexes them, as it does in a landing.

- Ids of trace, span, parent, link and response: each copy writes the sixteen hex digits in another
  order of its own (a one to one map, so relations hold, and ids stay evenly spread).
- Times: each copy is drawn a little nearer to noon, at most ``copies / 100,000`` of the way, in
  whole milliseconds. The map is monotone: spans stay inside their parents and the day, twins and
  repeated deliveries stay equal.
- Envelopes: opened, given issuance and operation of the copy and its time, and signed again with the
  company's keys. Each is verified for itself, as in a real day.
- The bill of model vendors: amounts and quantities times the copies. Machines stay: clusters have as
  many pods, and each serves so many times the calls. OpenCost, usage reports: as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

IDS = ("trace_id", "span_id", "parent_span_id", "links")
"""Columns of hex digits and separators, nothing else."""

NOT_SAID = ("run_id", "parent_issuance_id", "operation_id", "issuance_id", "sampling_threshold")
"""Columns that this company's spans leave empty: a copy of what they name would need a rule."""

SCALED_MONEY = ("BilledCost", "EffectiveCost")
SCALED_TEXT = ("ConsumedQuantity", "PricingQuantity", "ListCost", "ContractedCost")

STEP = 100_000
"""A copy is drawn by one part in so many towards noon."""
NANOS, DAY_NANOS = 1_000_000, 24 * 3600 * 10**9
BATCH_ROWS = 20_000
"""Rows of the smaller day that are copied at a time: memory is that times the copies."""

_DIGITS = b"0123456789abcdef"
_OWN_NUMBER = re.compile(r"[0-9a-f]{16}$")


def multiply(base: Path, folder: Path, copies: int) -> None:
    """The landed day of company ``base``, ``copies`` times, as the landed day of ``folder``."""
    import shutil

    folder.mkdir(parents=True)
    for name in ("attribution.yaml", "keys.yaml"):
        shutil.copy(base / name, folder)
    for name in ("policies", "opencost", "usage", "closes"):
        shutil.copytree(base / name, folder / name)
    for path in base.glob("bill-*"):
        (folder / path.name).mkdir()
    (folder / "spans").mkdir()
    one, many = _landed(base), _landed(folder)
    with many.open_batch() as writer:
        for kind in ("billing", "opencost", "usage"):
            for record in one.objects(kind):
                for table in record.rows:
                    rows = _rows_of(one, table, record.object_id)
                    writer.add(table, record.source, _scaled(rows, copies))
                _keep(writer, record)
        records = {record.object_id: record for record in one.objects("spans") if record.rows}
        for object_id, rows in _copied(one, copies):
            record = records.pop(object_id)
            writer.add("spans", record.source, rows)
            _keep(writer, record)
        if records:
            raise SystemExit(f"{len(records)} objects of spans were not met: landing changed")
        writer.commit()


def _landed(folder: Path) -> Any:
    from attribution_pipeline.lake.landed import LandedStore

    return LandedStore(folder / "lake")


def _keep(writer: Any, record: Any) -> None:
    writer.add_object(
        **{
            name: getattr(record, name)
            for name in (
                "kind", "source", "uri", "path", "fingerprint", "size", "object_id", "delivery",
                "delivery_order", "read", "refused", "rounding_moved",
            )
        }
    )  # fmt: skip


def _rows_of(store: Any, table: str, object_id: str) -> pa.Table:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows = pq.read_table(
        store.paths(table), partitioning=None, filters=pc.field("object_id") == object_id
    )
    return _as_read(table, rows)


def _as_read(table: str, rows: pa.Table) -> pa.Table:
    """Rows as a reader gives them: without the source, which the writer adds."""
    from attribution_pipeline.model.evidence import SCHEMAS

    return rows.select(SCHEMAS[table].names).cast(SCHEMAS[table])


def _scaled(rows: pa.Table, copies: int) -> pa.Table:
    """Bill lines of what tokens cost, times the copies; every other row as it is."""
    import pyarrow as pa

    from attribution_pipeline.simulator.token_charges import SERVICES

    if "ServiceName" not in rows.column_names:
        return rows
    taken = [name in SERVICES.values() for name in rows["ServiceName"].to_pylist()]
    for column in (*SCALED_MONEY, *SCALED_TEXT):
        place = rows.schema.get_field_index(column)
        kind = rows.schema.field(place).type
        values = [
            value if value is None or not mine else _times(value, copies)
            for value, mine in zip(rows[column].to_pylist(), taken, strict=True)
        ]
        rows = rows.set_column(place, rows.schema.field(place), pa.array(values, kind))
    return rows


def _times(value: Decimal | str, copies: int) -> Decimal | str:
    if isinstance(value, Decimal):
        return value * copies
    return format(Decimal(value) * copies, "f")


def _copied(store: Any, copies: int) -> Iterator[tuple[str, pa.Table]]:
    """Object by object: its spans in every copy."""
    import pyarrow as pa

    for rows in _whole_objects(store):
        batch = _Batch(rows)
        made = [batch.copy(number) for number in range(copies)]
        for object_id, start, length in batch.objects():
            # of its own memory: the writer counts the buffers that a slice hangs on
            parts = pa.concat_tables([copy.slice(start, length) for copy in made])
            yield object_id, parts.combine_chunks()


def _whole_objects(store: Any) -> Iterator[pa.Table]:
    """Landed spans in batches that end where an object ends, in the order of landing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pa.concat_tables([
        _as_read("spans", pq.read_table(path, partitioning=None)) for path in store.paths("spans")
    ])  # fmt: skip
    landed = {one.object_id: number for number, one in enumerate(store.objects("spans"))}
    order = pa.array([landed[one] for one in rows["object_id"].to_pylist()])
    rows = rows.append_column("landed", order)
    rows = rows.sort_by([("landed", "ascending"), ("position", "ascending")])
    rows, order = rows.drop_columns(["landed"]), rows["landed"].to_numpy()
    start = 0
    while start < len(order):
        end = min(start + BATCH_ROWS, len(order))
        while end < len(order) and order[end] == order[end - 1]:
            end += 1
        yield rows.slice(start, end - start).combine_chunks()
        start = end


class _Batch:
    """Some objects' spans, ready to be copied: what copies share is worked out once."""

    def __init__(self, rows: pa.Table) -> None:
        from attribution_pipeline.envelope.token import read_token

        for name in NOT_SAID:
            if rows[name].null_count < rows.num_rows:
                raise SystemExit(f"spans say {name}, which copies would share: write a rule for it")
        self.rows = rows
        self._suffix = _suffix_mask(rows["response_id"].chunk(0))
        self._envelopes = rows["envelope"].chunk(0).dictionary_encode()
        self._tokens = [read_token(text) for text in self._envelopes.dictionary.to_pylist()]

    def objects(self) -> list[tuple[str, int, int]]:
        """(object, first row, rows), in order."""
        found: list[tuple[str, int, int]] = []
        for number, one in enumerate(self.rows["object_id"].to_pylist()):
            if found and found[-1][0] == one:
                found[-1] = (one, found[-1][1], found[-1][2] + 1)
            else:
                found.append((one, number, 1))
        return found

    def copy(self, number: int) -> pa.Table:
        """The rows of copy ``number``; copy 0 is the rows themselves."""
        import pyarrow as pa

        rows = self.rows
        if number == 0:
            return rows
        digits = _permutation(number)
        new = {name: _mapped(rows[name].chunk(0), digits) for name in IDS}
        new["response_id"] = _mapped(rows["response_id"].chunk(0), digits, self._suffix)
        for name in ("start_unix_nano", "end_unix_nano"):
            new[name] = _drawn(rows[name].chunk(0), number)
        signed = [_signed_again(token, number, digits) for token in self._tokens]
        new["envelope"] = pa.DictionaryArray.from_arrays(
            self._envelopes.indices, pa.array(signed, pa.string())
        ).cast(pa.string())
        new["position"] = pa.array(rows["position"].to_numpy() + number * self._positions())
        arrays = [new.get(name, rows[name]) for name in rows.column_names]
        return pa.table(arrays, schema=rows.schema)

    def _positions(self) -> int:
        return int(self.rows["position"].to_numpy().max())


def _permutation(number: int) -> np.ndarray:
    """By byte what it becomes: hex digits in an order of the copy's own, the rest as it is."""
    import numpy as np

    digits = np.frombuffer(_DIGITS, dtype=np.uint8)
    order = np.random.Generator(np.random.PCG64(number)).permutation(len(digits))
    table = np.arange(256, dtype=np.uint8)
    table[digits] = digits[order]
    return table


def _mapped(values: pa.Array, digits: np.ndarray, where: np.ndarray | None = None) -> pa.Array:
    """Texts with their hex digits written in the copy's order, all of them or ``where``."""
    import numpy as np
    import pyarrow as pa

    validity, offsets, data = values.buffers()
    if data is None:
        return values
    text = np.frombuffer(data, dtype=np.uint8)
    new = digits[text] if where is None else np.where(where, digits[text], text)
    return pa.StringArray.from_buffers(
        len(values), offsets, pa.py_buffer(new), validity, values.null_count, values.offset
    )


def _suffix_mask(values: pa.Array) -> np.ndarray | None:
    """Which bytes of texts stand behind the last ``-`` or ``_`` of theirs: a response's own number,
    and not its vendor's prefix, which has letters that are hex digits too."""
    import numpy as np

    _, offsets, data = values.buffers()
    if data is None:
        return None
    text = np.frombuffer(data, dtype=np.uint8)
    ends = np.frombuffer(offsets, dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    marks = np.flatnonzero((text == ord("-")) | (text == ord("_")))
    last = np.searchsorted(marks, ends[1:]) - 1
    begin = np.maximum(ends[:-1], np.where(last >= 0, marks[np.maximum(last, 0)] + 1, 0))
    steps = np.zeros(len(text) + 1, dtype=np.int64)
    np.add.at(steps, begin, 1)
    np.add.at(steps, ends[1:], -1)
    return np.cumsum(steps)[:-1] > 0


def _drawn(nanos: pa.Array, number: int) -> pa.Array:
    """Instants drawn towards noon of their own day."""
    import pyarrow as pa

    return pa.array(_towards_noon(nanos.to_numpy(), number))


def _towards_noon(nanos: Any, number: int) -> Any:
    """Of an instant or an array of them, in whole milliseconds. It stays on its day."""
    day = nanos // DAY_NANOS * DAY_NANOS
    at = (nanos - day) // NANOS
    noon = DAY_NANOS // NANOS // 2
    return day + (noon + (at - noon) * (STEP - number) // STEP) * NANOS


def _signed_again(token: Any, number: int, digits: np.ndarray) -> str:
    from attribution_pipeline.envelope import issue
    from attribution_pipeline.simulator.envelopes import _keys

    claims = token.claims
    issued = int(_towards_noon(claims.issued_at * 10**9, number)) // 10**9
    return issue(
        replace(
            claims,
            operation_id=_renumbered(claims.operation_id, digits),
            issuance_id=_renumbered(claims.issuance_id, digits),
            issued_at=issued,
            expires_at=issued + claims.expires_at - claims.issued_at,
        ),
        _keys()[token.key_id],
    )


def _renumbered(name: str, digits: np.ndarray) -> str:
    found = _OWN_NUMBER.search(name)
    if found is None:
        raise SystemExit(f"{name} is not numbered as the company numbers it")
    return name[: found.start()] + found[0].translate(digits.tobytes().decode("latin-1"))
