"""What another policy would change, told before it is applied, and nothing written meanwhile."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.policy_diff import Side, policy_diff
from attribution_pipeline.orchestration.policy_versions import side
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline.views.ledger import summed
from attribution_pipeline.views.policy_diff import DEFAULT_BY, Difference
from attribution_pipeline.views.revisions import plain
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite

METRIC = "effective_cost"


EVEN = ("driver: usage.query_units", "driver: even")
ALIASED = ("tenant_tag: tenant", "tenant_tag: tenant\n  tenant_aliases: {tenant-a: big}")


def draft(house: House, *changes: tuple[str, str]) -> Path:
    """Policy 2, not published: a file outside the policies folder."""
    path = house.deployment.path.parent / "draft.yaml"
    shutil.copyfile(house.deployment.policies_folder / "policy-1.yaml", path)
    for old, new in (("version: 1", "version: 2"), *changes):
        rewrite(path, old, new)
    return path


def compared(
    house: House, a: Side, b: Side, *, metric: str = METRIC, told: list[str] | None = None,
    last: date = DAY,
) -> Difference:  # fmt: skip
    return policy_diff(
        house, a, b, DAY, last, by=DEFAULT_BY, metric=metric,
        progress=told.append if told is not None else None,
    )  # fmt: skip


def costs(found: Difference, column: str, pool: str | None) -> dict[str | None, Decimal]:
    return {
        row["tenant_id"]: row[column] for row in found.rows().to_pylist() if row["pool"] == pool
    }


def storage_files(house: House) -> dict[Path, str]:
    """All files of storage but kept evidence, by digest."""
    storage = house.deployment.storage_folder
    return {
        path.relative_to(storage): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in storage.rglob("*")
        if path.is_file() and path.relative_to(storage).parts[0] != "evidence"
    }


@contextmanager
def nothing_written(house: House) -> Iterator[None]:
    """Storage is the same afterwards, byte for byte, but for kept evidence."""
    before = storage_files(house)
    assert any(path.parts[0] == "ledger" for path in before)
    yield
    assert storage_files(house) == before


@dataclass
class Told:
    """Version 1 against a draft that divides one pool evenly, over two days, on the worked day."""

    difference: Difference
    progress: list[str]


@pytest.fixture(scope="module")
def even(recorded_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = shutil.copytree(recorded_once, tmp_path_factory.mktemp("even") / "worked_day")
    house = House(load_deployment(folder / "attribution.yaml"))
    progress: list[str] = []
    with nothing_written(house):
        found = compared(
            house, side(house, "1"), side(house, str(draft(house, EVEN))), told=progress,
            last=date(2026, 10, 6),
        )  # fmt: skip
    return Told(found, progress)


def test_a_pool_s_new_driver_moves_that_pool_and_what_follows_it_and_totals_stay(
    even: Told,
) -> None:
    found = even.difference
    assert costs(found, "cost_a", "vectors") == {
        "tenant-a": Decimal("3.125"), "tenant-b": Decimal("1.041666666667"),
        "tenant-c": Decimal("0.833333333333"),
    }  # fmt: skip
    # `even`: tenants that had a row before this pool; tenant-c's only rows are of this pool
    assert costs(found, "cost_b", "vectors") == {
        "tenant-a": Decimal("2.5"), "tenant-b": Decimal("2.5"), "tenant-c": Decimal(0),
    }  # fmt: skip
    assert costs(found, "cost_a", None) == costs(found, "cost_b", None)  # meters and tags
    assert costs(found, "cost_a", "support") != costs(found, "cost_b", "support")  # base: cost
    assert found.is_even
    assert found.totals() == [("USD", Decimal("46.96"), Decimal("46.96"), Decimal(0))]


def test_every_day_is_told_with_what_moves_on_it(even: Told) -> None:
    rows = even.difference.days[0].rows
    assert rows > 3
    assert even.progress == [
        f"2026-10-05  1 of 2: {rows} rows move", "2026-10-06  2 of 2: no change",
    ]  # fmt: skip
    said = even.difference.affected()
    assert said[0].startswith(f"1 of 2 days change, {rows} rows move")
    assert said[-1] == "no charge of the bill falls on 2026-10-06"


def test_what_is_told_before_is_what_the_ledger_says_after_it_is_applied(
    house: House, even: Told
) -> None:
    before = per_tenant(house)
    draft(house, EVEN).rename(house.deployment.policies_folder / "policy-2.yaml")
    (outcome,) = run_days(house.deployment, DAY, DAY).days
    assert per_tenant(House(house.deployment)) == told(even.difference, "cost_b")
    assert before == told(even.difference, "cost_a")
    day = even.difference.days[0]
    half = f"{plain(day.moved['USD'] / 2)} USD"  # what leaves a tenant comes to another
    assert outcome.revised == f"{day.rows} rows (policy_change), {half} added, {half} taken away"


def per_tenant(house: House) -> dict[tuple[str | None, ...], Decimal]:
    columns = ["tenant_id", "component", "pool"]
    rows = house.lake.read("ledger", DAY, DAY, [*columns, "billing_currency", METRIC])
    return {
        tuple(row[name] for name in columns): row[METRIC]
        for row in summed(rows, columns, [METRIC]).to_pylist()
    }


def told(found: Difference, column: str) -> dict[tuple[str | None, ...], Decimal]:
    sums: dict[tuple[str | None, ...], Decimal] = {}
    for row in found.rows().to_pylist():
        key = (row["tenant_id"], row["component"], row["pool"])
        sums[key] = sums.get(key, Decimal(0)) + row[column]
    return sums


def test_each_side_reads_spans_as_its_own_policy_says_and_nothing_is_written(house: House) -> None:
    """Aliases and attributes decide who a call is for, before anything is divided."""
    path = draft(house, ALIASED)
    with nothing_written(house):
        found = compared(house, side(house, "1"), side(house, str(path)))
    under_a, under_b = (costs(found, column, "support") for column in ("cost_a", "cost_b"))
    assert under_b["big"] == under_a["tenant-a"] > 0
    assert under_b["tenant-a"] == under_a["big"] == 0
    assert found.is_even
    assert [state.state for state in House(house.deployment).lake.states()] == [1]


def test_a_policy_against_itself_changes_nothing_in_either_cost(house: House) -> None:
    found = compared(house, side(house, "1"), side(house, "1"), metric="billed_cost")
    assert found.affected()[0].startswith("0 of 1 day change, 0 rows move")
    assert found.totals() == [("USD", Decimal("50.26"), Decimal("50.26"), Decimal(0))]


def test_a_side_that_cannot_be_run_is_named_with_the_day(house: House) -> None:
    path = draft(house)
    path.write_text(path.read_text().replace("1000 Tokens: 1000", "Images: 1"))
    with pytest.raises(Refusal) as refused:
        compared(house, side(house, str(path)), side(house, "1"))
    assert f"2026-10-05 under {path} (version 2): " in refused.value.line()
    assert "1000 Tokens" in refused.value.line()


def test_a_version_whose_file_is_gone_is_found_in_the_lake(house: House) -> None:
    first = house.deployment.policies_folder / "policy-1.yaml"
    draft(house, EVEN).rename(first.with_name("policy-2.yaml"))
    first.unlink()
    assert side(house, "1").policy.version == 1
    with pytest.raises(Refusal, match="there is no version 7; published are: 2"):
        side(house, "7")


def test_evidence_that_came_after_the_day_was_recorded_counts(house: House) -> None:
    """Both sides are what a run would make today, not what stands in the ledger."""
    from attribution_pipeline.sources.landing import land

    inputs = house.deployment.storage_folder.parent
    rewrite(inputs / "usage" / "usage.csv", "query_units,30", "query_units,60")
    land(house.sources, house.landed)
    fresh = House(house.deployment)
    with nothing_written(fresh):
        found = compared(fresh, side(fresh, "1"), side(fresh, "1"))
    assert costs(found, "cost_a", "vectors")["tenant-a"] > Decimal("3.2")
