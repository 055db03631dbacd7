"""``attribution close``: a record is written whole where it will be landed, or one line says why not."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.orchestration import house as houses
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import rewrite
from attribution_pipeline_tests.sources.landings import standing
from attribution_pipeline_tests.test_cli import refusal, run

ISSUER, ACCOUNT = "Amazon Web Services", "111122223333"
AWS = ("--issuer", ISSUER, "--account", ACCOUNT, "--period", "2026-10")
DAY = date(2026, 10, 5)
NOW = datetime(2026, 11, 7, 9, 30, tzinfo=UTC)
TOO_EARLY = "is not over before"
USAGE = "    - {name: usage, uri: ./usage}\n"
CLOSES = "  closes:\n    - {name: closes, uri: ./closes}\n"

Clock = Callable[[datetime], None]


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The command's clock stands at NOW; call to move it."""

    def move(now: datetime) -> None:
        monkeypatch.setattr(houses, "House", lambda deployment: House(deployment, lambda: now))

    move(NOW)
    return move


@pytest.fixture(scope="module")
def landed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day with a source of close records, its folder not there; bills landed."""
    folder = tmp_path_factory.mktemp("landed") / "day"
    file = shutil.copytree(WORKED_DAY, folder) / "attribution.yaml"
    rewrite(file, USAGE, USAGE + CLOSES)
    landed(file)
    return folder


@pytest.fixture(scope="module")
def recorded_once(landed_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, recorded."""
    folder = shutil.copytree(landed_once, tmp_path_factory.mktemp("recorded") / "day")
    record_day(House(load_deployment(folder / "attribution.yaml")), DAY)
    return folder


@pytest.fixture
def config(landed_once: Path, tmp_path: Path) -> Path:
    """A copy of the landed deployment."""
    return shutil.copytree(landed_once, tmp_path / "day") / "attribution.yaml"


@pytest.fixture
def recorded(recorded_once: Path, tmp_path: Path) -> Path:
    """A copy of the recorded deployment."""
    return shutil.copytree(recorded_once, tmp_path / "day") / "attribution.yaml"


def landed(config: Path) -> None:
    house = House(load_deployment(config))
    land(house.sources, house.landed)


def close(config: Path, *arguments: object) -> list[str]:
    """The lines of a close that is done."""
    result = run("close", *arguments, "--config", config)
    assert result.exit_code == 0, result.output
    assert all(TOO_EARLY in line for line in result.stderr.splitlines())
    return result.stdout.splitlines()


def warned(config: Path, *arguments: object) -> list[str]:
    """The lines on stderr of a close that is done."""
    result = run("close", *arguments, "--config", config)
    assert result.exit_code == 0, result.output
    return list(result.stderr.splitlines())


def records(config: Path) -> list[dict[str, object]]:
    """What stands in the folder, oldest first."""
    files = sorted((config.parent / "closes").iterdir())
    assert all(file.name.startswith("close-") for file in files)
    return [json.loads(file.read_text()) for file in files]


def files(config: Path) -> list[Path]:
    return sorted(path for path in config.parent.rglob("*") if ".staging" not in path.parts)


def test_record_is_written_as_one_new_file_and_makes_the_folder(config: Path) -> None:
    lines = close(config, *AWS, "--note", "October is final", "--by", "finops@example.com")
    assert lines[0] == f"closed: {ISSUER}, account {ACCOUNT}, billing period 2026-10-01"
    (file,) = (config.parent / "closes").iterdir()
    assert lines[1] == f"wrote {file}"
    assert records(config) == [
        {
            "issuer": ISSUER, "account": ACCOUNT, "period": "2026-10-01", "status": "closed",
            "closed_at": "2026-11-07T09:30:00.000000+00:00", "closed_by": "finops@example.com",
            "note": "October is final",
        }
    ]  # fmt: skip


def test_record_whose_answer_got_lost_is_written(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket's client sends the request again then, and learns that the object stands."""
    usual = FolderStore.create

    def lost(store: FolderStore, name: str, content: bytes) -> None:
        usual(store, name, content)
        raise FileExistsError(errno.EEXIST, "storage answered 412 PreconditionFailed", name)

    monkeypatch.setattr(FolderStore, "create", lost)
    assert close(config, *AWS)[1].startswith("wrote ")
    assert len(records(config)) == 1


def test_record_lands_as_it_was_said_and_the_next_close_knows_it(config: Path, at: Clock) -> None:
    close(config, *AWS)
    landed(config)
    store = House(load_deployment(config)).landed
    columns = ("issuer", "account", "billing_period", "status", "closed_at")
    assert standing(store, "closes", columns) == [
        (ISSUER, ACCOUNT, date(2026, 10, 1), "closed", NOW)
    ]
    at(NOW + timedelta(seconds=1))
    assert close(config, *AWS)[-1] == (
        "it was closed already, by a close record: no day becomes stale"
    )


def test_reopening_is_a_record_of_its_own(config: Path, at: Clock) -> None:
    assert close(config, *AWS, "--reopen")[-1] == "it was open already: no day becomes stale"
    at(NOW + timedelta(hours=1))
    close(config, *AWS)
    assert [record["status"] for record in records(config)] == ["open", "closed"]


def test_without_account_it_is_every_account(config: Path) -> None:
    lines = close(config, "--issuer", ISSUER, "--period", "2026-10")
    assert lines[0] == f"closed: {ISSUER}, every account, billing period 2026-10-01"
    assert records(config)[0]["account"] is None


def test_period_may_be_named_by_its_first_day(config: Path) -> None:
    close(config, "--issuer", ISSUER, "--account", ACCOUNT, "--period", "2026-10-01")
    assert records(config)[0]["period"] == "2026-10-01"


def test_a_period_that_is_not_over_is_closed_with_a_warning(config: Path, at: Clock) -> None:
    """By the clock in UTC, up to the end that is billed: the worked day's is the first of November."""
    end = datetime(2026, 11, 1, tzinfo=UTC)
    at(end - timedelta(seconds=1))
    (line,) = warned(config, *AWS)
    assert (
        f"warning: billing period 2026-10-01 of {ISSUER} is not over before 2026-11-01 00:00 UTC"
        in line
    )
    assert len(records(config)) == 1, "a vendor may close early"
    assert warned(config, *AWS, "--reopen") == []
    at(end)
    assert warned(config, *AWS) == []


def test_an_unbilled_period_is_over_with_its_month(config: Path, at: Clock) -> None:
    forced = ("--issuer", "nobody", "--period", "2026-11", "--force")
    at(datetime(2026, 11, 30, 23, tzinfo=UTC))
    assert "is not over before 2026-12-01 00:00 UTC" in warned(config, *forced)[0]
    at(datetime(2026, 12, 1, tzinfo=UTC))
    assert warned(config, *forced) == []


# -- what follows --------------------------------------------------------------------------------


def test_recorded_days_that_become_stale_are_told(recorded: Path, at: Clock) -> None:
    assert close(recorded, *AWS)[-1] == (
        "stale once it is landed, by the sensor or the next run: 1 recorded day (2026-10-05)"
    )
    landed(recorded)
    at(NOW + timedelta(hours=1))
    assert close(recorded, *AWS, "--reopen")[-1].endswith(": 1 recorded day (2026-10-05)")


def test_days_that_are_still_provisional_are_told_with_their_time(
    recorded: Path, at: Clock
) -> None:
    at(datetime(2026, 10, 7, 12, tzinfo=UTC))
    assert close(recorded, *AWS)[-1] == (
        "stale when their provisional time is over, 2026-10-05 at 2026-10-09 00:00 UTC: 1 recorded "
        "day (2026-10-05)"
    )
    landed(recorded)
    at(datetime(2026, 10, 7, 13, tzinfo=UTC))
    assert close(recorded, *AWS, "--reopen")[-1] == "no recorded day is concerned"


def test_closing_what_no_recorded_day_holds_says_so(config: Path) -> None:
    assert close(config, *AWS)[-1] == "no recorded day is concerned"


def test_what_was_told_is_what_happens(recorded: Path, at: Clock) -> None:
    assert settlements(recorded) == {ISSUER: {"provisional"}, "other": {"provisional"}}
    close(recorded, *AWS)
    landed(recorded)
    record_day(House(load_deployment(recorded), lambda: NOW), DAY)
    assert settlements(recorded) == {ISSUER: {"settled"}, "other": {"provisional"}}
    head = House(load_deployment(recorded)).lake.head(DAY)
    assert head is not None
    assert head.settled, "a new policy version would reach it unforced"
    at(NOW + timedelta(hours=1))
    close(recorded, *AWS, "--reopen")
    landed(recorded)
    record_day(House(load_deployment(recorded), lambda: NOW + timedelta(hours=1)), DAY)
    assert settlements(recorded) == {ISSUER: {"provisional"}, "other": {"provisional"}}


def settlements(config: Path) -> dict[str, set[str]]:
    """Settlement of the ledger's rows that October bills to the account, and of all others."""
    columns = ["billing_account_id", "billing_period", "settlement"]
    found: dict[str, set[str]] = {}
    for row in House(load_deployment(config)).lake.read("ledger", DAY, DAY, columns).to_pylist():
        mine = (
            row["billing_account_id"] == ACCOUNT and f"{row['billing_period']:%Y-%m}" == "2026-10"
        )
        found.setdefault(ISSUER if mine else "other", set()).add(row["settlement"])
    return found


# -- refusals ------------------------------------------------------------------------------------

UNBILLED = [
    (("--issuer", "Amazon Web Service", "--period", "2026-10"),
     "--issuer: no landed bill is issued by `Amazon Web Service`; did you mean `Amazon Web "
     "Services`?; --force closes it all the same"),
    (("--issuer", ISSUER, "--account", "111122223334", "--period", "2026-10"),
     f"--account: no landed bill of {ISSUER} is for account `111122223334`; did you mean "
     f"`{ACCOUNT}`?; --force closes it all the same"),
    (("--issuer", ISSUER, "--account", ACCOUNT, "--period", "2026-09"),
     f"--period: no landed bill of {ISSUER}, account {ACCOUNT}, is of billing period 2026-09; "
     "billed are the periods that begin on 2026-10-01, 2026-11-01; --force closes it all the same"),
    (("--issuer", ISSUER, "--period", "2026-10-15"),
     f"--period: no landed bill of {ISSUER} is of billing period 2026-10-15; billed are the periods "
     "that begin on 2026-10-01, 2026-11-01; --force closes it all the same"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "line"), UNBILLED, ids=lambda value: str(value)[:30])
def test_what_nobody_billed_is_refused_with_what_is_known_and_written_by_force(
    config: Path, arguments: tuple[str, ...], line: str
) -> None:
    before = files(config)
    assert refusal("close", *arguments, "--config", config) == line
    assert files(config) == before
    lines = close(config, *arguments, "--force")
    assert lines[-1] == "no landed bill has such charges: nothing follows until one has"
    assert len(records(config)) == 1


def test_nothing_landed_yet_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    file = shutil.copytree(WORKED_DAY, tmp_path / "day") / "attribution.yaml"
    rewrite(file, USAGE, USAGE + CLOSES)
    before = files(file)
    assert refusal("close", *AWS, "--config", file) == (
        "--issuer: no bill is landed yet; land one first: attribution run --from DAY; --force closes "
        "it all the same"
    )
    assert files(file) == before


def test_deployment_without_a_source_of_close_records_is_refused_at_its_line(
    tmp_path: Path,
) -> None:
    file = shutil.copytree(WORKED_DAY, tmp_path / "day") / "attribution.yaml"
    assert refusal("close", *AWS, "--config", file) == (
        f"{file}:4: no source is named under `closes`; add `closes: [{{name: closes, uri: "
        "./closes}]`: a record that is not landed closes nothing"
    )


def test_source_that_is_one_file_is_refused_at_its_line(config: Path) -> None:
    rewrite(config, "uri: ./closes}", "uri: ./closes.csv}")
    (config.parent / "closes.csv").write_text("issuer,account,period,closed_at,status\n")
    assert refusal("close", *AWS, "--config", config) == (
        f"{config}:14: source `closes` is one file, and records are files of their own; name a folder"
    )


def test_record_that_a_newer_one_would_outlive_is_refused(config: Path, at: Clock) -> None:
    close(config, *AWS)
    landed(config)
    at(NOW - timedelta(minutes=1))
    assert refusal("close", *AWS, "--reopen", "--config", config) == (
        "attribution close: a close record of 2026-11-07T09:30:00+00:00 is newer than this machine's "
        "clock, so it would go on standing; correct the clock, or wait until then"
    )
    assert len(records(config)) == 1


@pytest.mark.parametrize("period", ["2026-13", "2026-10-32", "10/2026", "2026", "2026-1"])
def test_period_that_is_none_is_refused(config: Path, period: str) -> None:
    assert refusal("close", "--issuer", ISSUER, "--period", period, "--config", config) == (
        f"--period: {period!r} is no billing period; write YYYY-MM"
    )


def test_empty_account_is_not_every_account(config: Path) -> None:
    arguments = ("--issuer", ISSUER, "--account", " ", "--period", "2026-10", "--config", config)
    assert refusal("close", *arguments) == (
        "--account: is empty; give a name, or leave an account out"
    )


def test_write_that_fails_leaves_nothing_to_land(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", no_space)
    assert "cannot be written (No space left on device)" in refusal(
        "close", *AWS, "--config", config
    )
    assert records(config) == []


def test_record_may_be_read_by_who_lands_it(config: Path) -> None:
    umask = os.umask(0o022)
    try:
        close(config, *AWS)
    finally:
        os.umask(umask)
    (file,) = (config.parent / "closes").iterdir()
    assert file.stat().st_mode & 0o777 == 0o644


def test_folder_that_cannot_be_written_is_one_line(config: Path) -> None:
    (config.parent / "closes").symlink_to("/proc/1")
    assert "cannot be written" in refusal("close", *AWS, "--config", config)
