"""A session on Spark: tables that are computed once, statements by their kind, the same digests.

Belongs here: what ``engine.Session`` promises, on DataFrames. Does not: how SQL is rewritten
(``dialect``), how Spark is reached (``cluster``), how rows leave (``files``).

Spark computes when it is asked, and again whenever it is asked again. So every ``create table`` is a
local checkpoint: computed at once, kept by the executors, its plan forgotten. An executor that dies
takes its part along and the step fails, to be run again; a cache would be computed again in silence,
with other row numbers (``row_number() over ()``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.set_digests import LANE_DIGITS, LANES, lanes_text
from attribution_pipeline.attribution.spark import cluster, files
from attribution_pipeline.attribution.spark.canonical import row_hash
from attribution_pipeline.attribution.spark.dialect import (
    Known,
    Node,
    duckdb_type,
    spark_sql,
    spark_type,
    statements,
)
from attribution_pipeline.model.errors import Broken

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.day import Compute

MOST_PARTS = 8
"""Inserts that a table keeps as they came; then they become one."""

HIT = "__hit"
"""Marks rows of an update that another table answers."""


@contextlib.contextmanager
def spark_session(compute: Compute) -> Iterator[Session]:
    """A session with tables of its own on the deployment's Spark."""
    reached = cluster.new_session(compute)
    tables = SparkTables(reached)
    try:
        yield tables
    finally:
        tables.close()
        reached.close()


class SparkTables(Session):
    """Tables as temporary views of one Spark session."""

    def __init__(self, reached: cluster.Reached) -> None:
        super().__init__()
        self.spark = reached.session
        self._reached = reached
        self._tables: dict[str, Any] = {}
        self._parts: dict[str, int] = {}
        self._wide: dict[str, frozenset[str]] = {}
        self._read = 0
        self._known = Known(self._wide, lambda source: self._frame_of(source).columns)

    @contextlib.contextmanager
    def beside(self) -> Iterator[Session]:
        yield self

    def close(self) -> None:
        """Forget every table: what the executors hold of them goes."""
        for name in list(self._tables):
            self._drop(name)

    # -- statements -----------------------------------------------------------------------------

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        for tree in statements(statement):
            self._run(tree, parameters)

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        (tree,) = statements(query)
        described = self._described(tree)
        if described is not None:
            return described
        table = self._arrow(self._frame(tree, parameters))
        columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
        return list(zip(*columns, strict=True))

    def table(self, query: str) -> pa.Table:
        (tree,) = statements(query)
        return self._arrow(self._frame(tree))

    def batches(self, query: str, rows: int) -> Iterator[pa.RecordBatch]:
        yield from self.table(query).to_batches(max_chunksize=rows)

    def _run(self, tree: Node, parameters: Sequence[object]) -> None:
        if isinstance(tree, exp.Create):
            self._create(tree, parameters)
        elif isinstance(tree, exp.Insert):
            self._insert(tree, parameters)
        elif isinstance(tree, exp.Update):
            self._update(tree, parameters)
        elif isinstance(tree, exp.Delete):
            self._delete(tree, parameters)
        elif isinstance(tree, exp.Drop):
            self._drop(next(tree.find_all(exp.Table)).name)
        elif isinstance(tree, exp.Alter):
            self._rename(tree)
        else:
            raise Broken(f"a pass has a statement that Spark does not run: {tree.sql()[:80]}")

    def _create(self, tree: Node, parameters: Sequence[object]) -> None:
        query = tree.expression
        if query is None:
            columns = ((column.name, spark_type(column.kind)) for column in tree.this.expressions)
            empty = ", ".join(f"cast(null as {kind}) as `{name}`" for name, kind in columns)
            self._name(tree.this.this.name, self._frame_of(f"select {empty} where false"))
            return
        name = tree.this.name
        if tree.kind == "VIEW":
            self._create_view(name, query)
        else:
            self._keep(name, self._frame(query, parameters))

    def _create_view(self, name: str, query: Node) -> None:
        if query.args.get("by_name"):
            left, right = (self._frame(side) for side in (query.this, query.expression))
            self._name(name, left.unionByName(right, allowMissingColumns=True))
            return
        # its text is looked up again wherever it is used, as DuckDB does: tables below may change
        self._frame_of(
            f"create or replace temporary view {name} as {spark_sql(query, self._known)}"
        )
        self._note(name, self.spark.table(name))

    def _insert(self, tree: Node, parameters: Sequence[object]) -> None:
        if isinstance(tree.this, exp.Schema):
            raise Broken(f"a pass names the columns that it inserts into: {tree.sql()[:80]}")
        name = tree.this.name
        into = self._tables[name.lower()]
        new = self._frame(tree.expression, parameters)
        new = new.toDF(*(f"c{n}" for n in range(len(new.columns)))).selectExpr(
            *(
                f"cast(c{n} as {field.dataType.simpleString()}) as `{field.name}`"
                for n, field in enumerate(into.schema.fields)
            )
        )
        both = into.unionAll(_computed(new))
        parts = self._parts.get(name.lower(), 1) + 1
        if parts > MOST_PARTS:
            both, parts = _computed(both), 1
        self._name(name, both)
        self._parts[name.lower()] = parts

    def _update(self, tree: Node, parameters: Sequence[object]) -> None:
        """As a new table: each row once, with the new value where the condition holds."""
        name = tree.this.name
        before = self._tables[name.lower()]
        where = tree.args.get("where")
        other = tree.args.get("from_")
        holds = f"({_duck(where.this)})" if where else "true"
        new = {found.this.name.lower(): _duck(found.expression) for found in tree.expressions}
        if other is None:
            source, hit = name, f"coalesce({holds}, false)"
        else:
            said = other.this
            source = (
                f"{name} left join (select *, true as {HIT} from {said.name}) "
                f"as {said.alias or said.name} on {holds}"
            )
            hit = f"{HIT} is not null"
        columns = ", ".join(
            f"case when {hit} then {new[column.lower()]} else {name}.{column} end as {column}"
            if column.lower() in new
            else f"{name}.{column}"
            for column in before.columns
        )
        (query,) = statements(f"select {columns} from {source}")
        after = _computed(self._frame(query, parameters))
        if other is not None and after.count() != before.count():
            raise Broken(f"an update of {name} finds a row twice: which value counts is not said")
        self._name(name, after)

    def _delete(self, tree: Node, parameters: Sequence[object]) -> None:
        name = tree.this.name
        where = tree.args.get("where")
        goes = f"({_duck(where.this)})" if where else "true"
        (query,) = statements(f"select * from {name} where not coalesce({goes}, false)")
        self._keep(name, self._frame(query, parameters))

    def _rename(self, tree: Node) -> None:
        (action,) = tree.args["actions"]
        old, new = tree.this.name, action.this.name
        table = self._tables[old.lower()]
        self._drop(old)
        self._name(new, table)

    def _described(self, tree: Node) -> list[tuple[Any, ...]] | None:
        """``select column_name[, column_type] from (describe table)``."""
        found = tree.find(exp.Describe)
        if found is None:
            return None
        fields = self._tables[found.this.name.lower()].schema.fields
        said = [
            {"column_name": field.name, "column_type": duckdb_type(field.dataType.simpleString())}
            for field in fields
        ]
        return [tuple(row[column.name] for column in tree.expressions) for row in said]

    # -- tables ---------------------------------------------------------------------------------

    def load(self, name: str, table: pa.Table) -> None:
        with cluster.quiet():
            self._name(name, self.spark.createDataFrame(table, schema=_schema(table.schema)))

    def view(
        self, name: str, files: Sequence[str], *, located: bool = False, by_name: bool = False
    ) -> None:
        if located:
            raise Broken("rows are located in files by DuckDB alone")
        self._read += _bytes_of(files)
        if self._read > cluster.LARGE_BYTES:
            self._reached.for_much_data()
        self._name(name, _parquet(self.spark, files, by_name=by_name))

    def write(
        self, query: str, path: Path, *, rows_per_group: int = 122_880, level: int | None = None
    ) -> int:
        (tree,) = statements(query)
        frame = self._frame(tree)
        shape = files.Shape(rows_per_group, level)
        if self._read > cluster.LARGE_BYTES:
            return files.write_in_parts(frame, path, shape)
        return files.write_at_once(self._arrow(frame), path, shape)

    def digest(self, table: str, columns: Sequence[str], where: str = "true") -> str:
        hashes = self._frame_of(f"{self._hashes(table, columns, where)} order by h")
        if self._read > cluster.LARGE_BYTES:
            return files.digest_of(row[0] for row in hashes.toLocalIterator())
        return files.digest_of(self._arrow(hashes).column(0).to_pylist())

    def set_digest(self, table: str, columns: Sequence[str], where: str = "true") -> str:
        lanes = ", ".join(
            f"sum(cast(conv(substr(h, {1 + LANE_DIGITS * lane}, {LANE_DIGITS}), 16, 10) "
            "as decimal(20, 0)))"
            for lane in range(LANES)
        )
        hashes = self._hashes(table, columns, where)
        sums = self._arrow(self._frame_of(f"select {lanes} from ({hashes})"))
        return lanes_text(int(column.to_pylist()[0] or 0) for column in sums.columns)

    def _hashes(self, table: str, columns: Sequence[str], where: str) -> str:
        (condition,) = statements(f"select * from {table} where {where}")
        schema = self._tables[table.lower()].schema
        return f"select {row_hash(schema, columns)} as h from ({spark_sql(condition, self._known)})"

    # -- frames ---------------------------------------------------------------------------------

    def _frame(self, tree: Node, parameters: Sequence[object] = ()) -> Any:
        return self._frame_of(spark_sql(tree, self._known), parameters)

    def _frame_of(self, text: str, parameters: Sequence[object] = ()) -> Any:
        return self.spark.sql(text, args=list(parameters)) if parameters else self.spark.sql(text)

    def _arrow(self, frame: Any) -> pa.Table:
        with cluster.quiet():
            return frame.toArrow()

    def _keep(self, name: str, frame: Any) -> None:
        self._name(name, _computed(frame))

    def _name(self, name: str, frame: Any) -> None:
        frame.createOrReplaceTempView(name)
        self._note(name, frame)

    def _note(self, name: str, frame: Any) -> None:
        self._tables[name.lower()] = frame
        self._parts.pop(name.lower(), None)
        self._wide[name.lower()] = frozenset(
            field.name.lower()
            for field in frame.schema.fields
            if field.dataType.simpleString() == "decimal(38,0)"
        )

    def _drop(self, name: str) -> None:
        self.spark.catalog.dropTempView(name)
        for known in (self._tables, self._parts, self._wide):
            known.pop(name.lower(), None)


def _computed(frame: Any) -> Any:
    """The rows, once and for all. A column of nothing but null is an integer, as in DuckDB."""
    fields = frame.schema.fields
    if any(field.dataType.typeName() == "void" for field in fields):
        frame = frame.selectExpr(
            *(
                f"cast(`{field.name}` as int) as `{field.name}`"
                if field.dataType.typeName() == "void"
                else f"`{field.name}`"
                for field in fields
            )
        )
    return frame.localCheckpoint(eager=True)


def _parquet(spark: Any, paths: Sequence[str], *, by_name: bool) -> Any:
    """Files as they are: no schema is inferred by a job, no folder's name is a column, no name a
    pattern. Files of one schema are read together."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with cluster.quiet():
        alike: dict[Any, list[str]] = {}
        first = pq.read_schema(paths[0])
        for path in paths:
            found = pq.read_schema(path) if by_name else first
            names = tuple((field.name, field.type) for field in found)
            alike.setdefault(names, []).append(files.location(path))
        frames = [
            spark.read.schema(_schema(pa.schema(names)))
            .option("__globPaths__", "false")
            .parquet(*group)
            for names, group in alike.items()
        ]
    return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), frames)


def _schema(arrow: pa.Schema) -> Any:
    """An instant has its zone in Arrow; what has none stays without."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(arrow, prefer_timestamp_ntz=True)


def _bytes_of(paths: Sequence[str]) -> int:
    return sum(Path(path).stat().st_size for path in paths)


def _plain(value: Any) -> Any:
    """Hugeint comes as a decimal without digits after the point."""
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        return int(value)
    return value


def _duck(node: Node) -> str:
    return str(node.sql(dialect="duckdb", comments=False))
