"""Charges before any division: lines in quanta, rules found, portions formed.

Belongs here: what is to be divided. Does not: by what (``meters``, ``workloads``, ``shares``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.engine import NULL, Session
from attribution_pipeline.attribution.kernel import NARROW_BOUND, quanta
from attribution_pipeline.attribution.matching import Assignment, assign, columns_read

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy


def load_portions(
    db: Session, charges: Sequence[str], policy: Policy, day: date
) -> list[Assignment]:
    """Tables ``lines``, ``portions`` and ``assignments``; the assignments by their id.

    ``portions``. Grain: charge, tag set with principal, rule. Amounts are integers of quanta, 64 bits wide where
    the whole day fits and 128 where it does not.
    """
    columns = columns_read(policy)
    key = ", ".join(f'coalesce("{column}", {NULL})' for column in columns)
    db.view("charges", charges)
    db.execute(
        f"""
        create table lines as
        select *, {quanta("billed_cost")} as billed, {quanta("effective_cost")} as effective,
               {_list_quanta()} as list,
               concat_ws(chr(31), nullif(Tags, '{{}}'), nullif(AllocatedTags, '{{}}'),
                         chr(28) || PrincipalId) as tag_set,
               concat_ws(chr(31), cast(outside_range as varchar), {key}) as match_key
        from charges
        """
    )
    listed = ", ".join(f'"{column}"' for column in columns)
    distinct = db.rows(
        f"select distinct match_key, outside_range, {listed} from lines order by match_key"
    )
    assignments: dict[Assignment, int] = {}
    matched = []
    for match_key, outside_range, *values in distinct:
        found = assign(dict(zip(columns, values, strict=True)), policy, outside_range=outside_range)
        matched.append((match_key, assignments.setdefault(found, len(assignments))))
    _load_assignments(db, list(assignments), matched)
    width = db.one(
        "select coalesce(sum(greatest(abs(billed), abs(effective), abs(list))), 0) from lines"
    )
    db.integer = "bigint" if width < NARROW_BOUND else "hugeint"
    db.run("phases/portions", int=db.integer)
    return list(assignments)


def _list_quanta() -> str:
    # ListCost is kept as text in raw precision; rounding here only weighs, it never posts
    return f"coalesce({quanta('try_cast(list_cost as decimal(38, 12))')}, 0)"


def _load_assignments(
    db: Session, assignments: list[Assignment], matched: list[tuple[str, int]]
) -> None:
    import pyarrow as pa

    db.load(
        "matched",
        pa.table(
            {
                "match_key": pa.array([key for key, _ in matched], pa.string()),
                "assignment_id": pa.array([number for _, number in matched], pa.int64()),
            }
        ),
    )
    whole = ("pool", "meter")
    rows = [asdict(assignment) for assignment in assignments]
    db.load(
        "assignments",
        pa.table(
            {
                "assignment_id": pa.array(range(len(rows)), pa.int64()),
                **{
                    field.name: pa.array(
                        [row[field.name] for row in rows],
                        pa.int64() if field.name in whole else pa.string(),
                    )
                    for field in fields(Assignment)
                },
            }
        ),
    )
