"""Delta's log, sealed: whatever bit is flipped is named, and a commit without a seal is made up for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from attribution_pipeline.lake import Lake, shapes
from attribution_pipeline.lake.adoption import sworn
from attribution_pipeline.lake.checked import own_digest, said_by, with_digest
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.buckets.paths import Root, copied, standing
from attribution_pipeline_tests.lake.days import DAY, amounts_of, record
from attribution_pipeline_tests.lake.stores import HookedStore, Killed, raising

BITS = 8


def log_of(storage: Root, table: str) -> list[Root]:
    return sorted((storage / table / "_delta_log").iterdir())


def seals_of(storage: Root, table: str) -> list[Root]:
    return sorted((storage / "seals" / table).iterdir())


def flip(path: Root, at: int, bit: int = 3) -> None:
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1 << bit
    path.write_bytes(content)


def refusal_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refused:
        act()
    return refused.value.line()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    lake = Lake(folder)
    for text in ("1", "2", "3"):
        record(lake, DAY, [text], revisions=[text], variances=[text])
    return folder


@pytest.fixture
def storage(recorded: Path, root: Root) -> Root:
    """A day with three states, to be damaged."""
    return copied(recorded, root / "storage")


def test_every_commit_of_every_table_has_a_seal_that_follows_the_one_before(storage: Root) -> None:
    for table in shapes.TABLES:
        entries, seals = log_of(storage, table), seals_of(storage, table)
        assert [path.name for path in entries] == [path.name for path in seals]
        previous = ""
        for entry, seal in zip(entries, seals, strict=True):
            said = said_by(seal.read_bytes())
            assert said["entry"] == _sha256(entry)
            assert said["previous"] == previous
            previous = _sha256(seal)


def _sha256(path: Root) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_flipped_bit_of_an_entry_is_refused_by_its_name_whoever_reads(
    storage: Root, version: int, place: float
) -> None:
    path = log_of(storage, "ledger")[version]
    flip(path, int(place * (len(path.read_bytes()) - 1)))
    for act in (
        lambda: Lake(storage).head(DAY),
        lambda: Lake(storage).read("ledger", DAY, DAY),
        lambda: Lake(storage).verify(DAY, DAY),
        lambda: record(Lake(storage), DAY, ["9"]),
    ):
        assert refusal_of(act).startswith(f"{path}: an entry of Delta's log was changed")


def test_every_bit_of_a_seal_counts(storage: Root) -> None:
    path = seals_of(storage, "ledger")[2]
    whole = path.read_bytes()
    for at in range(len(whole)):
        flip(path, at, at % BITS)
        assert refusal_of(lambda: Lake(storage).days()).startswith(f"{path}: a seal")
        path.write_bytes(whole)
    assert Lake(storage).days() == [DAY]


def test_a_seal_of_another_table_or_version_is_no_seal(storage: Root) -> None:
    seals = seals_of(storage, "ledger")
    whole = seals[2].read_bytes()
    for stranger in (seals[1], seals_of(storage, "variances")[2]):
        seals[2].write_bytes(stranger.read_bytes())
        assert "does not follow" in refusal_of(lambda: Lake(storage).days())
    seals[2].write_bytes(whole)
    assert Lake(storage).days() == [DAY]


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        (["ledger/_delta_log/1"], "an entry of Delta's log is missing"),
        (["ledger/_delta_log/3"], "an entry of Delta's log is missing"),
        (["ledger/_delta_log/1", "seals/ledger/1"], "an entry of Delta's log is missing"),
        (["seals/ledger/1"], "a seal of Delta's log is missing"),
    ],
)
def test_what_is_missing_from_the_log_is_named(storage: Root, gone: list[str], named: str) -> None:
    for name in gone:
        folder, version = name.rsplit("/", 1)
        (storage / folder / f"{int(version):020d}.json").unlink()
    assert named in refusal_of(lambda: Lake(storage).days())


def test_a_strange_file_in_the_log_is_refused_because_other_readers_would_take_it(
    storage: Root,
) -> None:
    strange = storage / "operations" / "_delta_log" / "00000000000000000003.compacted.json"
    strange.write_text("{}")
    assert "is no file of Delta's log of ours" in refusal_of(lambda: Lake(storage).verify(DAY, DAY))
    strange.rename(strange.parent / "_commit_1.json.tmp")  # what a killed writer leaves
    Lake(storage).verify(DAY, DAY)


def test_an_open_lake_reads_no_entry_twice(storage: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(storage)
    lake.days()
    reads: list[str] = []
    read = type(lake.store).read
    monkeypatch.setattr(
        type(lake.store), "read", lambda self, name: reads.append(name) or read(self, name)
    )
    for _ in range(10):
        assert lake.days() == [DAY]
    newest = f"{len(log_of(storage, 'ledger')):020d}.json"
    assert {name.rsplit("/", 1)[-1] for name in reads} == {newest}  # is there a next one?


# -- commits without a seal ---------------------------------------------------------------------


def unsealed(storage: Root, table: str) -> Root:
    """Take the newest seal away, as if the writer had died before it wrote one."""
    seal = seals_of(storage, table)[-1]
    seal.unlink()
    return seal


@pytest.mark.parametrize("table", shapes.TABLES)
def test_a_commit_whose_writer_died_before_its_seal_is_read_and_sealed_by_the_next(
    storage: Root, table: str
) -> None:
    seal = unsealed(storage, table)
    lake = Lake(storage)
    assert amounts_of(lake, DAY) == ["3"]
    assert lake.differences(DAY) == []
    lake.verify(DAY, DAY)
    assert not seal.exists()  # readers write nothing
    record(lake, DAY, ["4"], revisions=["4"], variances=["4"])
    assert seal.exists()
    Lake(storage).verify(DAY, DAY)


def test_running_the_day_again_seals_what_was_left_though_nothing_is_recorded(
    storage: Root,
) -> None:
    seals = [unsealed(storage, table) for table in shapes.TABLES]
    assert record(Lake(storage), DAY, ["3"], revisions=["3"], variances=["3"]).unchanged
    assert all(seal.exists() for seal in seals)
    Lake(storage).verify(DAY, DAY)


@pytest.mark.parametrize("table", shapes.TABLES)
def test_a_table_whose_creator_died_before_the_first_seal_is_taken_over(
    root: Root, table: str
) -> None:
    store = HookedStore(root)
    store.after["create_table", table] = raising(Killed())
    with pytest.raises(Killed):
        record(Lake(root, store=store), DAY, ["1"], revisions=["r"], variances=["v"])
    assert not (root / "seals" / table).exists()
    assert record(Lake(root), DAY, ["1"], revisions=["r"], variances=["v"]).state == 1
    Lake(root).verify(DAY, DAY)


def edited(entry: Path, kind: str, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    lines = [json.loads(line) for line in entry.read_text().splitlines()]
    for line in lines:
        if kind in line:
            change(line[kind])
    entry.write_text("\n".join(json.dumps(line) for line in lines))


def _other_note(**changes: object) -> Callable[[dict], object]:  # type: ignore[type-arg]
    def change(info: dict) -> None:  # type: ignore[type-arg]
        note = sworn({**json.loads(info["userMetadata"]), **changes})
        info["userMetadata"] = json.dumps(note)

    return change


FORGERIES: dict[str, tuple[str, Callable[[dict], object]]] = {  # type: ignore[type-arg]
    "another file": ("add", lambda add: add.update(path=add["path"].replace("a", "b"))),
    "another day": ("add", lambda add: add.update(partitionValues={"charge_date": "2026-10-06"})),
    "another size": ("add", lambda add: add.update(size=add["size"] + 1)),
    "another file removed": ("remove", lambda add: add.update(path=add["path"].upper())),
    "another count of rows": ("add", lambda add: add.update(stats='{"numRecords": 7}')),
    "no size": ("add", lambda add: add.pop("size")),
    "no change": ("remove", lambda remove: remove.update(dataChange=False)),
    "another time, without its digest": (
        "commitInfo",
        lambda info: info.update(
            userMetadata=info["userMetadata"].replace('published_at": "20', 'published_at": "21')
        ),
    ),
    "no note": ("commitInfo", lambda info: info.pop("userMetadata")),
    "another manifest": ("commitInfo", _other_note(manifest="0" * 64)),
    "another policy": ("commitInfo", _other_note(policy_version=2)),
    "another key": ("commitInfo", _other_note(state_key="0" * 64)),
    "another state": ("commitInfo", _other_note(state=7)),
}


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_a_commit_without_a_seal_is_taken_only_when_all_that_it_says_is_so(
    storage: Root, forgery: str
) -> None:
    unsealed(storage, "ledger")
    edited(log_of(storage, "ledger")[-1], *FORGERIES[forgery])
    for act in (lambda: Lake(storage).days(), lambda: record(Lake(storage), DAY, ["9"])):
        line = refusal_of(act)
        assert any(
            place in line for place in ("ledger/_delta_log", "ledger/charge_date", "manifests/")
        )
    assert len(log_of(storage, "ledger")) == 4


def test_a_commit_without_a_seal_over_a_damaged_file_or_manifest_is_refused(storage: Root) -> None:
    lake = Lake(storage)
    ((_, file),) = lake.file_paths("ledger", DAY, DAY)
    manifest = storage / lake.states()[-1].manifest_file.path
    unsealed(storage, "ledger")
    for path in (standing(storage, file), manifest):
        whole = path.read_bytes()
        flip(path, len(whole) // 2)
        assert refusal_of(lambda: Lake(storage).days()).startswith(str(path))
        path.write_bytes(whole)
    assert Lake(storage).days() == [DAY]


def test_a_seal_that_was_written_and_not_acknowledged_is_no_error(root: Root) -> None:
    store = HookedStore(root)
    name = f"seals/ledger/{1:020d}.json"
    store.after["create", name] = raising(TimeoutError("no answer"))
    assert record(Lake(root, store=store), DAY, ["1"]).state == 1
    Lake(root).verify(DAY, DAY)


def test_a_seal_that_cannot_be_written_fails_the_run_and_a_rerun_makes_up_for_it(
    root: Root,
) -> None:
    store = HookedStore(root)
    name = f"seals/ledger/{1:020d}.json"
    store.before["create", name] = raising(OSError(28, "no space left on device"))
    lake = Lake(root, store=store)
    with pytest.raises(OSError, match="no space"):
        record(lake, DAY, ["1"])
    assert amounts_of(Lake(root), DAY) == ["1"]  # it was published
    assert record(lake, DAY, ["1"]).unchanged
    assert (root / name).exists()


def test_two_machines_seal_one_commit_alike(root: Root) -> None:
    """The second commits while the first has not sealed yet: it seals for both."""
    store = HookedStore(root, locks=False)
    other = Lake(root, store=HookedStore(root, locks=False))
    next_day = DAY + timedelta(days=1)
    store.after["commit", "ledger"] = lambda: record(other, next_day, ["2"])
    assert record(Lake(root, store=store), DAY, ["1"]).state == 1
    lake = Lake(root)
    assert lake.days() == [DAY, next_day]
    lake.verify(DAY, next_day)


# -- objects with their own digest ----------------------------------------------------------------


def test_an_object_with_its_own_digest_is_refused_for_any_other_bit_or_length() -> None:
    said = {"b": [1, "é"], "a": None}
    content = with_digest(said)
    assert said_by(content) == said
    assert own_digest(content) == own_digest(with_digest(dict(reversed(said.items()))))
    for at in range(len(content)):
        for bit in range(BITS):
            other = bytearray(content)
            other[at] ^= 1 << bit
            with pytest.raises(ValueError, match="digest"):
                said_by(bytes(other))
    for short in range(len(content)):
        with pytest.raises(ValueError, match="digest"):
            said_by(content[:short])
