"""What the dashboard reads: recorded days, opened once, and again as soon as one is recorded anew.

Belongs here: which files, verified, in which relations; the sums of every day held in memory; caching
by the lake's version. Does not: what is asked of them (``asked``), pages.

Nothing is opened for writing: scratch goes to the machine's temporary place.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attribution_pipeline.lake import Lake
from attribution_pipeline.views.dashboard.keeping import Answers, Key
from attribution_pipeline.views.dashboard.place import Place
from attribution_pipeline.views.dashboard.shell import Shell
from attribution_pipeline.views.day_ranges import ranges

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.config import Deployment
    from attribution_pipeline.lake.landed import LandedStore
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy

T = TypeVar("T")

SQL = Path(__file__).parent / "sql"

NO_METRIC = "effective_cost"
"""What is shown where no recorded day has a policy to say it: the policy's own default."""


@cache
def sql_text(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


class Books:
    """One deployment's lake, read. Safe for threads; keeps what it read while nothing was recorded."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.shell = Shell.here(deployment.path)
        """How commands about this deployment are written."""
        self.lake = Lake(deployment.place)
        self._lock = threading.RLock()
        self._open = contextlib.ExitStack()
        self._db: Session | None = None
        self._held: dict[date, str] = {}
        self._computed: set[date] = set()
        self._documents: dict[str, dict[str, Any]] = {}
        self._version = ""
        self._heads: dict[date, Published] = {}
        self._landed: LandedStore | None = None
        self.answers = Answers()
        self._open.callback(self.answers.close)

    def close(self) -> None:
        """Let go of memory and scratch."""
        self._open.close()

    # -- which days ---------------------------------------------------------------------------------

    def look(self) -> None:
        """See what was recorded and landed meanwhile: once a page, which asks a hundred times."""
        from attribution_pipeline.lake.landed import LandedStore

        with self._lock:
            states = self.lake.states()
            self._heads = dict(sorted({one.day: one for one in states}.items()))
            self._version = f"{len(states)}-{states[-1].manifest_id[:16]}" if states else "0"
            if self._landed is None:
                self._landed = LandedStore(self.deployment.place)
            else:
                self._landed.refresh()

    @property
    def version(self) -> str:
        """Of everything recorded: another one after every commit of a day."""
        self._looked()
        return self._version

    def days(self) -> list[date]:
        """Recorded days, oldest first."""
        return list(self._looked())

    def months(self) -> list[date]:
        """First days of the months with a recorded day, newest first."""
        return sorted({day.replace(day=1) for day in self._looked()}, reverse=True)

    def head(self, day: date) -> Published | None:
        """The day's newest state."""
        return self._looked().get(day)

    @property
    def landed(self) -> LandedStore:
        """Landed evidence."""
        self._looked()
        assert self._landed is not None, "look() opens it"
        return self._landed

    def _looked(self) -> dict[date, Published]:
        if self._landed is None:
            self.look()
        return self._heads

    def policy(self, day: date) -> Policy | None:
        """The policy that a day was recorded under, from the lake's own copy."""
        head = self.head(day)
        return self.policy_of(head) if head is not None else None

    def policy_of(self, state: Published) -> Policy:
        """The policy that a state was recorded under, from the lake's own copy."""
        from attribution_pipeline.proof.replay_frozen import policy_of

        return self.kept(("policy", state.manifest_id),
                         lambda: policy_of(self.lake, self.document(state)))  # fmt: skip

    def document(self, state: Published) -> dict[str, Any]:
        """The manifest of a state."""
        found = self._documents.get(state.manifest_id)
        if found is None:
            found = self._documents[state.manifest_id] = self.lake.document(state)
        return found

    @property
    def metric(self) -> str:
        """The cost that the policy of the newest day settles on."""
        return self.metric_of(date.min, date.max)

    def metric_of(self, first: date, last: date) -> str:
        """The cost that the policy of the last recorded day of a period settles on; of the newest day
        where the period has none."""
        days = self.days()
        inside = [day for day in days if first <= day <= last] or days
        policy = self.policy(inside[-1]) if inside else None
        return policy.settlement.metric if policy is not None else NO_METRIC

    # -- the sums of every day ----------------------------------------------------------------------

    def spend(self, query: str) -> pa.Table:
        """A query of ``spend``, the sums of every recorded day."""
        return self.kept(("spend", self.version, query), lambda: self._spend(query))

    def _spend(self, query: str) -> pa.Table:
        with self._lock:
            db = self._current()
            with db.beside() as other:
                return other.table(query)

    def _current(self) -> Session:
        """``spend`` with every recorded day in its newest state."""
        from attribution_pipeline.attribution.engine import session

        if self._db is None:
            self._db = self._open.enter_context(session(self.compute()))
            self._db.execute(sql_text("spend"))
        heads = self._looked()
        for gone in sorted(self._held.keys() - heads):
            self._db.execute(f"delete from spend where day = date '{gone}'")
            del self._held[gone]
        moved = [day for day, head in heads.items() if self._held.get(day) != head.manifest_id]
        for first, last in ranges(moved):
            self._read(self._db, first, last)
            self._held |= {d: head.manifest_id for d, head in heads.items() if first <= d <= last}
        return self._db

    def _read(self, db: Session, first: date, last: date) -> None:
        """The roll-ups of some days into ``spend``, instead of what it has of these days."""
        from attribution_pipeline.views.daily import open_daily

        with self.session() as other:
            opened = open_daily(
                other, self.lake, first, last, ("spend_daily",), compute=self.compute()
            )
            query = sql_text("cube").format(rows="spend_daily", more="", where="true")
            rows = other.table(query)
        computed = opened.computed["spend_daily"]
        self._computed = {d for d in self._computed if not first <= d <= last} | {*computed}
        db.execute(f"delete from spend where day between date '{first}' and date '{last}'")
        db.load("more", rows)
        db.execute("insert into spend by name select * from more; drop table more")

    def computed(self, days: Sequence[date]) -> list[date]:
        """Of some days those whose stored roll-up was missing or behind, so that their sums were made
        here from the ledger."""
        return [day for day in days if day in self._computed]

    # -- call level ---------------------------------------------------------------------------------

    def of_days(
        self, days: Sequence[date], query: str, tables: Sequence[str],
        further: Mapping[str, Sequence[date]] | None = None,
    ) -> pa.Table:  # fmt: skip
        """A query of published ``tables`` of some days, as relations with ``charge_date``; ``further``:
        days that a table has beside these."""
        of = {table: [*days, *(further or {}).get(table, ())] for table in tables}
        every = {day for wanted in of.values() for day in wanted}
        heads = {day: head for day in every if (head := self.head(day)) is not None}
        states = tuple(sorted(head.manifest_id for head in heads.values()))
        key = ("days", states, tuple(tables), query)

        def make() -> pa.Table:
            with self.session() as db:
                for table, wanted in of.items():
                    self.open_table(db, table, [day for day in wanted if day in heads])
                return db.table(query)

        return self.kept(key, make)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """An empty database within the deployment's limits."""
        from attribution_pipeline.attribution.engine import session

        with session(self.compute()) as db:
            yield db

    def open_table(self, db: Session, table: str, days: Sequence[date]) -> None:
        """A published table of some days as a relation of that name, with ``charge_date``."""
        from attribution_pipeline.attribution.requests import of_files
        from attribution_pipeline.lake.shapes import schema_of

        parts = []
        for day in days:
            if paths := self.paths(table, day):
                parts.append(f"select *, date '{day}' as charge_date from {of_files(paths)}")
        if parts:
            db.execute(f"create view {table} as " + " union all by name ".join(parts))
        else:
            db.load(table, schema_of(table).empty_table())

    def paths(self, table: str, day: date) -> list[Path]:
        """Files of a published table of a day, each hashed. Raises Refusal naming one that is not
        what its manifest says."""
        head = self.head(day)
        entries = self.document(head)["files"].get(table, []) if head is not None else []
        return [self.lake.verified(self.lake.stored(entry)) for entry in entries]

    def evidence(self, day: date, plane: str, table: str) -> list[Path]:
        """Files of the evidence that a day was computed from, each hashed."""
        head = self.head(day)
        if head is None:
            return []
        inputs = self.document(head)["inputs"].get(plane)
        return self.lake.evidence.paths(inputs).get(table, []) if inputs else []

    # -- keeping ------------------------------------------------------------------------------------

    def kept(self, key: Key, make: Callable[[], T]) -> T:
        """``Answers.kept``."""
        return self.answers.kept(key, make)

    def later(self, key: Key, make: Callable[[], T], patience_s: float | None) -> T | None:
        """``Answers.later``."""
        return self.answers.later(key, make, patience_s)

    def compute(self, folder: Path | None = None) -> Compute:
        """The deployment's limits; spilling goes to ``folder``, else to the machine's temporary place."""
        from attribution_pipeline.attribution.day import Compute

        limits = self.deployment.compute
        return Compute(limits.threads, limits.memory_limit, str(folder or self.scratch))

    @property
    def scratch(self) -> str:
        """A folder of this process that goes with it, for what spills and what is computed beside."""
        with self._lock:
            if not hasattr(self, "_folder"):
                self._folder = self._open.enter_context(
                    tempfile.TemporaryDirectory(prefix="attribution-dashboard-")
                )
            return self._folder

    # -- views --------------------------------------------------------------------------------------

    def opened(
        self, span: tuple[date, date], tables: Sequence[str], ask: Callable[[Session], T], name: str
    ) -> T:
        """An answer from roll-ups of a first to a last day; ``name`` tells questions apart."""
        found = self.opened_later(span, tables, ask, name, None)
        assert found is not None, "it was waited for"
        return found

    def opened_later(
        self, span: tuple[date, date], tables: Sequence[str], ask: Callable[[Session], T], name: str,
        patience_s: float | None,
    ) -> T | None:  # fmt: skip
        """The same, or None where it takes longer than ``patience_s``."""
        from attribution_pipeline.views.daily import open_daily

        def make() -> T:
            with self.session() as db:
                open_daily(
                    db, self.lake, *span, tables,
                    landed=self.landed, compute=self.compute(),
                )  # fmt: skip
                return ask(db)

        key = ("opened", self.version, self.landed.head, span, name)
        return self.later(key, make, patience_s)

    # -- places -------------------------------------------------------------------------------------

    def complete(self, place: Place) -> Place:
        """With the month that was left open: the newest that is recorded."""
        months = self.months()
        return replace(place, month=months[0]) if place.month is None and months else place
