"""The two periods' rows, summed to cells: what the change is explained from.

Belongs here: the queries, and what they give as plain values. Does not: which files (``periods``),
what the sums mean for the change (``parts``).

Amounts come out as quanta, tokens and counts as integers: Python's, which do not overflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from attribution_pipeline.attribution.requests import of_files, operation_rows, request_rows
from attribution_pipeline.model.ledger import of_its_day
from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.model.tokens import BUCKETS, INPUT_BUCKETS, KINDS
from attribution_pipeline.proof.relations import LEDGER, OPERATION_COSTS, OPERATIONS, quoted
from attribution_pipeline.views.explain.periods import (
    LATER_REVISIONS,
    RECORDED_LEDGER,
    RULED_LEDGER,
    STANDING_LEDGER,
    Period,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.attribution.engine import Session

METERED, MACHINES = "metered", "machines"
"""Parts of ``sql/told.sql`` that calls explain: by their tokens, and by the time of pods."""

RULE_CHANGE = "policy_change"
"""The cause of what another version makes of a day, as revisions have it."""

_LEDGERS = (STANDING_LEDGER, RECORDED_LEDGER, RULED_LEDGER)
_TABLE_OF = {LATER_REVISIONS: "ledger_revisions", **dict.fromkeys(_LEDGERS, LEDGER)}


class Who(NamedTuple):
    """Tenant and workflow; null where nobody said."""

    tenant: str | None
    workflow: str | None


class Route(NamedTuple):
    """A model route. ``provider`` as the calls spell it, null where no call is at hand."""

    provider: str | None
    model: str | None


@dataclass(frozen=True)
class Cost:
    """Quanta of one cell in one period: of a token kind, a part, or a cause."""

    period: int
    who: Who
    route: Route
    currency: str | None
    word: str
    quanta: int


@dataclass(frozen=True)
class Usage:
    """What the calls of one cell used in one period."""

    period: int
    who: Who
    route: Route
    firsts: int
    attempts: int
    tokens: Mapping[str, int]


class Rows:
    """Two periods, opened for one question: one tenant (None: all of them), one cost.

    What pods cost is divided by the time that calls used of them, so for one tenant more calls are
    more cost. Nobody's calls change what all pods cost: for all tenants that cost stands beside.
    """

    def __init__(
        self, db: Session, against: Period, now: Period, tenant: str | None, metric: str
    ) -> None:
        self._db = db
        self._metric = metric
        self._tenant = f"tenant_id = {quoted(tenant)}" if tenant is not None else "true"
        periods = [period.files for period in (against, now)]
        for name in (LEDGER, OPERATIONS, LATER_REVISIONS, *_LEDGERS):
            _open(db, name, [_rows_of(name, files_of) for files_of in periods])
        # of all tenants together a machine costs the same, however many call it
        self._run("told", of_its_day=of_its_day(),
                  machines=f"'{MACHINES}'" if tenant is not None else "component")  # fmt: skip
        _open(db, OPERATION_COSTS, [_requests_of(files_of) for files_of in periods])
        db.execute(
            "create table request_costs as select period, attribution_id, operation_key, weight, "
            f"{metric} as cost from {OPERATION_COSTS}"
        )
        called = self._tenant if tenant is not None else "o.tenant_id is not null"
        self._run("calls", buckets=_times_what_it_stands_for(), tenant=called,
                  tokens_of_kind=_tokens_of_kind())  # fmt: skip

    def costs(self) -> list[Cost]:
        """Cost of calls by token kind; that of machines under ``MACHINES``, which is no kind."""
        return [
            Cost(period, Who(tenant, workflow), Route(provider, model), currency, kind or MACHINES,
                 _quanta(cost))
            for period, tenant, workflow, provider, model, currency, kind, cost in self._rows("costs")
        ]  # fmt: skip

    def usage(self) -> list[Usage]:
        """Calls and tokens."""
        sums = ", ".join(f"cast(sum({name}) as hugeint) as {name}" for name in BUCKETS)
        return [
            Usage(
                period, Who(tenant, workflow), Route(provider, model), int(firsts), int(attempts),
                {name: int(count) for name, count in zip(BUCKETS, tokens, strict=True)},
            )
            for period, tenant, workflow, provider, model, firsts, attempts, *tokens in self._rows(
                "usage", sums=sums
            )
        ]  # fmt: skip

    def beside(self) -> list[Cost]:
        """What no call meters, by part."""
        return [self._without_provider(row) for row in self._rows("beside")]

    def later(self) -> list[Cost]:
        """What was recorded after the compared states, and what another version of the policy made of
        a day, by cause."""
        rows = [*self._rows("later"), *self._rows("ruled", cause=RULE_CHANGE)]
        return [self._without_provider(row) for row in rows]

    def totals(self, table: str) -> dict[tuple[int, str | None], int]:
        """(period, currency) -> quanta of all rows of ``ledger`` or ``standing_ledger``."""
        found = self._db.rows(
            f"select period, billing_currency, sum({self._metric}) from {table} "
            f"where {self._tenant} group by period, billing_currency"
        )
        return {(period, currency): _quanta(cost) for period, currency, cost in found}

    def unmetered(self) -> dict[int, int]:
        """Period -> calls that do not say what they used: they are in no cell."""
        return dict(
            self._db.rows(
                "select period, count(*) from operations where metered is not true "
                f"and {self._tenant} group by period"
            )
        )

    def tenants(self) -> list[str]:
        """Everybody who is in a ledger of either period, under whichever rule."""
        ledgers = " union all ".join(
            f"select tenant_id from {name}" for name in (LEDGER, *_LEDGERS)
        )
        found = self._db.rows(
            f"select distinct tenant_id from ({ledgers}) where tenant_id is not null order by tenant_id"
        )
        return [tenant for (tenant,) in found]

    def requests(self, usual: Mapping[tuple[Who, str | None], int], top: int) -> pa.Table:
        """This period's ``top`` calls that cost most unlike the usual call of their workflow.

        ``usual``: quanta of a call, by tenant, workflow and currency; nothing where there was none.
        """
        import pyarrow as pa

        text, money = pa.string(), pa.decimal128(38, 12)
        known = list(usual.items())
        self._db.load(
            "usual",
            pa.table(
                {
                    "tenant_id": pa.array([who.tenant for (who, _), _ in known], text),
                    "workflow_id": pa.array([who.workflow for (who, _), _ in known], text),
                    "billing_currency": pa.array([currency for (_, currency), _ in known], text),
                    "usual_cost": pa.array([to_decimal(quanta) for _, quanta in known], money),
                }
            ),
        )
        query = _sql("requests").format(
            input=" + ".join(f"c.{name}" for name in INPUT_BUCKETS),
            output=" + ".join(f"c.{name}" for name in BUCKETS if name not in INPUT_BUCKETS),
            top=top,
        )
        return self._db.table(query)

    def _without_provider(self, row: tuple[Any, ...]) -> Cost:
        period, tenant, workflow, model, currency, word, cost = row
        return Cost(
            period, Who(tenant, workflow), Route(None, model), currency, word, _quanta(cost)
        )

    def _run(self, name: str, **words: str) -> None:
        said = {"tenant": self._tenant, "metric": self._metric, **words}
        self._db.execute(_sql(name).format(**said))

    def _rows(self, name: str, **words: str) -> list[tuple[Any, ...]]:
        said = {"tenant": self._tenant, "metric": self._metric, **words}
        return self._db.rows(_sql(name).format(**said))


@contextmanager
def opened(
    against: Period, now: Period, tenant: str | None, metric: str, compute: Compute
) -> Iterator[Rows]:
    """A database with both periods."""
    from attribution_pipeline.attribution.engine import session

    with session(compute) as db:
        yield Rows(db, against, now, tenant, metric)


@cache
def _sql(name: str) -> str:
    folder = files("attribution_pipeline.views.explain") / "sql"
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


def _open(db: Session, name: str, queries: Sequence[str]) -> None:
    """Both periods' queries as one view, with ``period``; an empty one has no files."""
    from attribution_pipeline.lake.shapes import schema_of

    db.load(f"no_{name}", schema_of(_TABLE_OF.get(name, name)).empty_table())
    parts = [f"select * exclude (charge_date), 0 as period from no_{name}"]
    for period, query in enumerate(queries):
        if query:
            parts.append(f"select *, {period} as period from ({query})")
    db.execute(f"create view {name} as " + " union all by name ".join(parts))


def _rows_of(name: str, files_of: Mapping[str, Sequence[str]]) -> str:
    """A table's rows as a query; each operation with its ``operation_key``."""
    if not files_of.get(name):
        return ""
    relation = of_files(files_of[name])
    return operation_rows(relation) if name == OPERATIONS else f"select * from {relation}"


def _requests_of(files_of: Mapping[str, Sequence[str]]) -> str:
    """``operation_costs`` of rows that calls explain, each with its ``operation_key``. With
    ``_rows_of`` the one place that knows how the tables of request level name an operation."""
    if not files_of.get(OPERATION_COSTS):
        return ""
    wanted = f"select attribution_id from told where part in ('{METERED}', '{MACHINES}')"
    costs = (
        f"(select * from {of_files(files_of[OPERATION_COSTS])} where attribution_id in ({wanted}))"
    )
    if not files_of.get(OPERATIONS):
        return f"select * from {costs}"
    return request_rows(costs, of_files(files_of[OPERATIONS]))


def _times_what_it_stands_for() -> str:
    return ", ".join(
        f"cast(coalesce(o.{name}, 0) as hugeint) * coalesce(s.stands_for, 1) as {name}"
        for name in BUCKETS
    )


def _tokens_of_kind() -> str:
    """Tokens of operation ``o`` of the kind of row ``t``."""
    kinds = " ".join(
        f"when '{kind}' then " + " + ".join(f"coalesce(o.{name}, 0)" for name in buckets)
        for kind, buckets in KINDS.items()
    )
    return f"case t.token_kind {kinds} end"


def _quanta(amount: Any) -> int:
    return to_quanta(amount)[0]
