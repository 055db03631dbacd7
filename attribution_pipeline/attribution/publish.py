"""From staged rows to the day's tables: identity, money as decimals, sorted files, checks.

Belongs here: the last step of a day before it is committed. Does not: committing (``lake``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.attribution.day import Finding, Outcome, Plane, Previous
from attribution_pipeline.attribution.engine import DuckDB, Session, sql_text
from attribution_pipeline.attribution.invariants import breaches
from attribution_pipeline.attribution.kernel import attribution_id, decimal, what_key
from attribution_pipeline.attribution.late_files import largest
from attribution_pipeline.attribution.layout import by_charge, by_time, files_for
from attribution_pipeline.attribution.ledger_files import WHOLE, parts
from attribution_pipeline.attribution.meters import Slice
from attribution_pipeline.attribution.parts import changed_hashes
from attribution_pipeline.attribution.requests import first_number, named_by, operation_rows
from attribution_pipeline.attribution.revise import COLUMNS, Stamp, revise
from attribution_pipeline.attribution.writing import ALWAYS, TABLES, write
from attribution_pipeline.model.errors import Broken
from attribution_pipeline.model.ledger import NOT_CONTENT, WHO
from attribution_pipeline.model.row_hashes import HASH_BYTES, digest_of_hashes
from attribution_pipeline.model.tokens import BUCKETS

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.model.policy import Policy

CONTENT = tuple(name for name in COLUMNS if name not in NOT_CONTENT)
HAS_CONTENT = "billed_cost <> 0 or effective_cost <> 0"

MOST_HASHES = 2_000_000
"""Rows of a ledger whose hashes are kept: 64 MB of them. A million spans have 50,000 rows."""

SHOWN = 20
"""Breaches that an error names; the rest are counted."""


def publish(
    db: Session,
    policy: Policy,
    day: date,
    slices: Sequence[Slice],
    findings: Sequence[Finding],
    *,
    stamp: Stamp,
    planes: Mapping[str, Plane],
    previous: Previous | None,
    out: Path,
) -> Outcome:
    """Files, totals and digests of the day. Raises Broken where an invariant does not hold."""
    last = load_numbers(db, day, previous)
    # a first state writes its operations and asks no more of them
    make_rows(db, policy, day, stamp, last, kind="table" if previous else "view")
    causes = revise(db, policy, day, stamp, planes, previous)
    check(db, day)
    files: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    for name, (table, _, _) in TABLES.items():
        if name in ALWAYS or db.one(f"select count(*) from {table}"):
            cut = parts(db, policy, table) if name == "ledger" else WHOLE
            files[name], rows[name] = write(db, name, out, parts=cut)
    # they are held in memory, here and by whoever keeps them
    few = rows["ledger"] <= MOST_HASHES
    hashes = db.hashes("ledger", CONTENT, HAS_CONTENT) if few else None
    return outcome(
        db, slices, findings, causes=causes, files=files, rows=rows, hashes=hashes or b"",
        digest="" if hashes is None else digest_of_hashes(hashes),
    )  # fmt: skip


def check(db: Session, day: date) -> None:
    """Raises Broken where an invariant does not hold."""
    db.execute(
        # whoever reads the day asks of all calls; here those are asked for which an error would charge
        # somebody on no evidence
        "create view charge_lines as select * from charges; "
        "create view held_back as select charge_id from held_charges; "
        "create view ended_operations as select * from published_operations where tenant_id is null "
        "and identity_source <> 'unknown' or verdict not in ('verified', 'unsigned')"
    )
    found = breaches(db)
    if found:
        lines = "; ".join(f"{b.check} {b.subject}: {b.detail}" for b in found[:SHOWN])
        raise Broken(f"{day}: {len(found)} breaches of conservation: {lines}")


def outcome(
    db: Session,
    slices: Sequence[Slice],
    findings: Sequence[Finding],
    *,
    causes: Mapping[str, int],
    files: Mapping[str, Sequence[str]],
    rows: Mapping[str, int],
    adds_to: frozenset[str] = frozenset(),
    digest: str = "",
    hashes: bytes = b"",
    stand_for: str = "1",
) -> Outcome:
    """Totals and digests (``digest``: of content, if it is known) of ``ledger``, beside ``files``.
    ``stand_for``: how many rows one of it stands for."""
    digest = digest or content_digest(db, "ledger")
    holds = db.one("select count(*) from held_charges")
    return Outcome(
        files=files,
        content_digest=digest,
        unheld_digest=content_digest(db, "computed_ledger") if holds else digest,
        causes=causes,
        rows=rows,
        totals=_totals(db, stand_for),
        tie_out=db.table(sql_text("publish/tie_out")),
        coverage=_coverage(slices),
        findings=findings,
        stats={"lines": db.one("select count(*) from lines"), "integer": db.integer},
        adds_to=adds_to,
        hashes=hashes,
    )


def content_digest(db: Session, table: str) -> str:
    """Invariant 4: what rows say, without their history. Rows of zero say nothing."""
    return db.digest(table, CONTENT, HAS_CONTENT)


class WrittenLedger(NamedTuple):
    """Files of ledger rows, how many they are; the whole ledger's content digest and, if they are few enough
    to be kept, its hashes."""

    paths: list[str]
    rows: int
    digest: str
    hashes: bytes


def write_ledger(
    db: DuckDB,
    policy: Policy,
    ledger: str,
    out: Path,
    *,
    standing: bool,
    known: bytes,
    gone: str,
    come: str,
    whole: str,
) -> WrittenLedger:
    """The files of a relation in the shape of ``ledger``. Where others are ``standing``, all of it is in one,
    or in none if it has no rows.

    ``known``: hashes of the ledger before. Where there are any, no row's text is made but of those that
    are ``gone`` and of those that have ``come``; else of the ``whole`` ledger.
    """
    columns, order = ", ".join(COLUMNS), TABLES["ledger"][2]
    paths, rows = [], 0
    for number, part in enumerate(WHOLE if standing else parts(db, policy, ledger)):
        path = out / f"ledger-{number}.parquet"
        rows += db.write(f"select {columns} from {ledger} where {part} order by {order}", path)
        paths.append(str(path))
    if standing and not rows:
        paths = []
    hashes = None
    if known:
        hashes = changed_hashes(known, *db.hashes_of((gone, come), CONTENT, HAS_CONTENT))
    if hashes is None:
        hashes = db.hashes(whole, CONTENT, HAS_CONTENT) or b""
    few = len(hashes) <= MOST_HASHES * HASH_BYTES
    return WrittenLedger(paths, rows, digest_of_hashes(hashes), hashes if few else b"")


def load_numbers(db: Session, day: date, previous: Previous | None, only: str | None = "") -> int:
    """``numbers_before``: the numbers that the state before gives operations; the largest of all.
    ``only``: a query of the keys that matter, None where none of ``operations`` does."""
    if previous is None:
        db.execute("create table numbers_before (operation_key varchar, operation_number bigint)")
        return first_number(day)
    files = {name: previous.files[name] for name in ("operations", "operation_costs")}
    last = largest([path for paths in files.values() for path in paths], "operation_number")
    if only is None:
        db.execute("create table numbers_before (operation_key varchar, operation_number bigint)")
    else:
        db.view("operations_at_rest", files["operations"])
        db.view("requests_at_rest", files["operation_costs"], by_name=True)
        wanted = f" where operation_key in ({only})" if only else ""
        db.execute(
            "create table numbers_before as select operation_key, operation_number from "
            f"({operation_rows('operations_at_rest')}){wanted} union all "
            "select distinct operation_key, operation_number "
            "from requests_at_rest where operation_key is not null"
        )
    return first_number(day) if last is None else last


def make_rows(
    db: Session, policy: Policy, day: date, stamp: Stamp, last: int, *, kind: str = "view"
) -> None:
    """``ledger``, ``operation_costs`` and, as a table or a view, ``published_operations`` of what is
    staged. ``last``: the largest number of an operation of the day, up to now."""
    make_ledger(db, policy, day, stamp, last)
    make_operations(
        db, "(select o.*, n.operation_number from ops o join numbers n on n.op_id = o.op_id)", kind
    )


def make_ledger(db: Session, policy: Policy, day: date, stamp: Stamp, last: int) -> None:
    """``ledger``, ``numbers`` and ``operation_costs`` of what is staged."""
    _load_rule_names(db, policy)
    _load_owners(db, policy)
    db.run(
        "publish/ledger",
        int=db.integer,
        attribution_id=attribution_id(
            day.isoformat(), "charge_id", "component", "leg", "who_key",
            what_key("operation_name", "model", "token_kind"), "identity_reason",
        ),
        who=", ".join(f"a.{column}" for column in WHO),
        billed=decimal("l.billed"),
        effective=decimal("l.effective"),
        policy_id=_quoted(policy.policy),
        policy_version=str(policy.version),
        policy_digest=_quoted(stamp.policy_digest),
        kernel=_quoted(KERNEL),
        recorded_at=stamp.instant,
    )  # fmt: skip
    db.run("publish/numbers", last=str(last))
    db.run(
        "publish/operation_costs",
        int=db.integer,
        billed=decimal("s.billed"),
        effective=decimal("s.effective"),
        place=_place_of_costs(db),
    )


def make_operations(db: Session, operations: str, kind: str = "table") -> None:
    """``published_operations`` of a relation in the shape of the operation plane, with numbers."""
    ended = f"(select * from {operations} o where ends_today)"
    files = files_for(db.one(f"select count(*) from {ended} e"))
    db.run(
        "publish/operations",
        relation=kind,
        ops=f"{operations} o",
        named_by=named_by(),
        buckets=", ".join(BUCKETS),
        who=", ".join(WHO),
        place=by_time(db, f"{ended} e", "end_unix_nano // 1000", files),
    )


def _place_of_costs(db: Session) -> str:
    """SQL: the file of a request row. Pods' charges apart, since they change whole."""
    counts = dict(
        db.rows("select component = 'workload', count(*) from staged_operations group by 1")
    )
    direct, workload = files_for(counts.get(False, 0)), files_for(counts.get(True, 0))
    return (
        f"case when s.component = 'workload' then {direct} + {by_charge('p.charge_id', workload)} "
        f"else {by_charge('p.charge_id', direct)} end"
    )


def _load_rule_names(db: Session, policy: Policy) -> None:
    import pyarrow as pa

    rows = db.rows("select assignment_id, kind, pool from assignments order by 1")
    names = [
        policy.pools[pool].name if pool >= 0 else None if kind in ("meter", "tag") else kind
        for _, kind, pool in rows
    ]
    db.load(
        "rule_names",
        pa.table(
            {
                "assignment_id": pa.array([row[0] for row in rows], pa.int64()),
                "pool": pa.array(names, pa.string()),
            }
        ),
    )


def _load_owners(db: Session, policy: Policy) -> None:
    import pyarrow as pa

    rows = []
    owner_of = cache(policy.owner_of)
    for who_id, tenant, workflow in db.rows("select who_id, tenant_id, workflow_id from actors"):
        owner = owner_of(tenant, workflow) if tenant is not None else None
        if owner is not None:
            rows.append((who_id, owner.team, owner.cost_center))
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    db.load(
        "owned",
        pa.table(
            {
                "who_id": pa.array(columns[0], pa.int64()),
                "team": pa.array(columns[1], pa.string()),
                "cost_center": pa.array(columns[2], pa.string()),
            }
        ),
    )


def _totals(db: Session, stand_for: str) -> list[dict[str, Any]]:
    """Per currency: both costs, rows, unallocated cost by reason. Money as text."""
    table = db.table(
        "select billing_currency, component, unallocated_reason, "
        f"cast(sum({stand_for}) as bigint) as rows, "
        "cast(cast(sum(billed_cost) as decimal(38,12)) as varchar) as billed_cost, "
        "cast(cast(sum(effective_cost) as decimal(38,12)) as varchar) as effective_cost "
        "from ledger group by all order by all"
    )
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _coverage(slices: Sequence[Slice]) -> pa.Table:
    import pyarrow as pa

    texts = {
        name: pa.array([getattr(found.key, name) for found in slices], pa.string())
        for name in ("provider", "model", "token_kind", "account", "region")
    }
    ratio = [None if s.coverage is None else f"{float(s.coverage):.6f}" for s in slices]
    return pa.table(
        {
            **texts,
            "billed_tokens": pa.array([s.billed_tokens for s in slices], pa.int64()),
            "seen_tokens": pa.array([s.seen for s in slices], pa.int64()),
            "coverage": pa.array(ratio, pa.string()),
        }
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
