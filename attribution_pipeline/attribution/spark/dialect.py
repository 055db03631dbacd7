"""A statement of the passes, as Spark reads it: sqlglot, and what sqlglot does not know.

Belongs here: one rewrite a difference, each with its reason. Does not: running anything (``tables``),
division itself (``division``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp

from attribution_pipeline.attribution.spark import division

Node = Any
"""A tree of sqlglot, whose own types change from release to release."""

HUGEINT = exp.DataType.Type.INT128


@dataclass(frozen=True)
class Known:
    """What a session knows of its tables. ``wide``: table to its columns of hugeint, in lower case.
    ``columns``: the columns that ``select * from <this>`` would have."""

    wide: Mapping[str, Collection[str]] = field(default_factory=dict)
    columns: Callable[[str], Sequence[str]] | None = None


@lru_cache(maxsize=2048)
def _parsed(text: str) -> tuple[exp.Expression, ...]:
    found: Sequence[Node] = sqlglot.parse(text, read="duckdb")
    return tuple(tree for tree in found if tree is not None)


def statements(text: str) -> list[exp.Expression]:
    """The statements of a text, each a tree of its own."""
    return [found.copy() for found in _parsed(text)]


def spark_sql(tree: Node, known: Known | None = None) -> str:
    """A query as Spark's SQL. Changes ``tree``."""
    known = known or Known()
    for star in list(tree.find_all(exp.Star)):
        _spell_out(star, known)
    wide = _Wide(tree, known)
    # inner ones first: a rewrite finds its parts rewritten
    for node in reversed(list(tree.walk())):
        for kind, rewrite in REWRITES:
            if isinstance(node, kind):
                new = rewrite(node, wide)
                if new is not node:
                    if node is tree:
                        tree = new
                    else:
                        node.replace(new)
                break
    return _text(tree)


def spark_type(kind: Node) -> str:
    """A column's type."""
    return division.WIDE if kind.this == HUGEINT else _text(kind)


def duckdb_type(spark: str) -> str:
    """A type of Spark's as DuckDB spells it, as ``describe`` does."""
    if spark == "timestamp":
        return "TIMESTAMP WITH TIME ZONE"
    return str(exp.DataType.build(spark, dialect="spark").sql(dialect="duckdb"))


def _text(node: exp.Expression) -> str:
    return str(node.sql(dialect="spark", comments=False))


def _spark(text: str) -> Node:
    found: Node = sqlglot.parse_one(text, read="spark")
    return found


class _Wide:
    """Which columns of a statement hold hugeint."""

    def __init__(self, tree: Node, known: Known) -> None:
        self.tables = {
            (table.alias or table.name).lower(): known.wide.get(table.name.lower(), ())
            for table in tree.find_all(exp.Table)
        }
        self.names = {name for names in self.tables.values() for name in names}
        # names that the statement gives to such values itself, inner ones first
        for alias in reversed(list(tree.find_all(exp.Alias))):
            if self.holds(alias.this):
                self.names.add(alias.alias.lower())

    def holds(self, node: exp.Expression) -> bool:
        """Whether hugeint goes into the expression, and is not cast to another type in it."""
        if isinstance(node, exp.Cast):
            return node.to.this == HUGEINT or _text(node.to).lower() == division.WIDE
        if isinstance(node, exp.Column):
            name, table = node.name.lower(), node.table.lower()
            return name in self.tables.get(table, self.names)
        if isinstance(node, exp.Anonymous | exp.Select | exp.Subquery):
            return False
        return any(self.holds(part) for part in node.iter_expressions())


# -- one rewrite a difference -------------------------------------------------------------------


def _hugeint(node: Node, wide: _Wide) -> Node:
    """Spark has no INT128; DECIMAL(38,0) is as wide, but for the last digit."""
    return _spark(f"cast(1 as {division.WIDE})").to if node.this == HUGEINT else node


def _divided(node: Node, wide: _Wide) -> Node:
    """``//``: see ``division``. What is wide and not known to be ends in an error, never in a wrap."""
    is_wide = wide.holds(node.this) or wide.holds(node.expression)
    how = division.wide if is_wide else division.narrow
    return _spark(how(_text(node.this), _text(node.expression)))


def _numbered(node: Node, wide: _Wide) -> Node:
    """Numbers of rows are bigint in DuckDB, int in Spark. ``row_number() over ()`` is a number and no
    order: counted in one task, all rows would go there."""
    if not isinstance(node.this, exp.RowNumber | exp.DenseRank | exp.Rank):
        return node
    if not node.args.get("order") and not node.args.get("partition_by"):
        select = node.find_ancestor(exp.Select)
        if select is not None and select.args.get("group"):
            return node  # Spark numbers rows, not groups: a pass numbers what a subquery grouped
        return _spark("(monotonically_increasing_id() + 1)")
    return _spark(f"cast({_text(node)} as bigint)")


def _signed(node: Node, wide: _Wide) -> Node:
    """Spark's sign is a double, and what is added to it becomes one."""
    value = _text(node.this)
    return _spark(
        f"(case when {value} > 0 then 1 when {value} < 0 then -1 when {value} = 0 then 0 end)"
    )


def _cast(node: Node, wide: _Wide) -> Node:
    """DuckDB adds bigints up in 128 bits, Spark in 64: a sum that is cast to hugeint means it. And a
    JSON object of one key, as text."""
    inner = node.this
    if isinstance(inner, exp.Sum) and _text(node.to).lower() == division.WIDE:
        return _spark(f"sum(cast({_text(inner.this)} as {division.WIDE}))")
    if isinstance(inner, exp.JSONObject):
        pairs = ((_text(pair.this), _text(pair.expression)) for pair in inner.expressions)
        struct = f"named_struct({', '.join(f'{key}, {value}' for key, value in pairs)})"
        # a key whose value is null stays, as in DuckDB
        return _spark(f"to_json({struct}, map('ignoreNullFields', 'false'))")
    return node


def _day_of(node: Node, wide: _Wide) -> Node:
    """``make_date`` of one number: days since 1970."""
    parts = [value for value in node.args.values() if isinstance(value, exp.Expression)]
    if len(parts) != 1:
        return node
    return exp.Anonymous(this="date_from_unix_date", expressions=parts)


def _elements(node: Node, wide: _Wide) -> Node:
    """Elements of a JSON list: Spark's ``get_json_object`` gives the list as text."""
    inner = node.this
    if not isinstance(inner, exp.JSONExtract):
        return node
    return _spark(f"explode(from_json({_text(inner.this)}, 'array<string>'))")


def _joined(node: Node, wide: _Wide) -> Node:
    """Distinct texts in their own order: Spark 4 fails to plan ``listagg(distinct ...)`` beside another
    distinct aggregate (a ClassCastException)."""
    ordered = node.this
    if not isinstance(ordered, exp.Order) or not isinstance(ordered.this, exp.Distinct):
        return node
    (value,) = ordered.this.expressions
    (by,) = ordered.expressions
    if by.this != value or by.args.get("desc"):
        return node
    separator = _text(node.args["separator"])
    return _spark(f"array_join(sort_array(collect_set({_text(value)})), {separator})")


SAME = {"make_timestamptz": "timestamp_micros", "epoch_us": "unix_micros"}
"""Functions of one meaning and two names."""


def _named_otherwise(node: Node, wide: _Wide) -> Node:
    spark = SAME.get(str(node.this).lower())
    if spark:
        node.set("this", spark)
    return node


REWRITES: Sequence[tuple[type[Any], Callable[[exp.Expression, _Wide], Node]]] = (
    (exp.Cast, _cast),
    (exp.DataType, _hugeint),
    (exp.IntDiv, _divided),
    (exp.Window, _numbered),
    (exp.Sign, _signed),
    (exp.DateFromParts, _day_of),
    (exp.Explode, _elements),
    (exp.GroupConcat, _joined),
    (exp.Anonymous, _named_otherwise),
)


def _spell_out(star: Node, known: Known) -> None:
    """``* replace (...)``, which Spark does not have, as the columns one by one."""
    replaced = {found.alias.lower(): found for found in star.args.get("replace") or ()}
    select = star.find_ancestor(exp.Select)
    if not replaced or select is None or known.columns is None:
        return
    # of one table: `t.* replace (...)`
    mine = star.parent if isinstance(star.parent, exp.Column) else star
    table = mine.table if isinstance(mine, exp.Column) else None
    source = exp.Select(
        expressions=[
            exp.Column(this=exp.Star(), table=exp.to_identifier(table)) if table else exp.Star()
        ],
        **{key: select.args[key] for key in ("from_", "from", "joins") if select.args.get(key)},
    ).copy()
    spelled = [
        replaced.get(name.lower(), exp.column(name, table=table, quoted=True))
        for name in known.columns(spark_sql(source, known))
    ]
    place = next(n for n, found in enumerate(select.expressions) if found is mine)
    select.set(
        "expressions", [*select.expressions[:place], *spelled, *select.expressions[place + 1 :]]
    )
