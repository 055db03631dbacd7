"""The command line: every refusal is one line on stderr with status 2, and nothing is written."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from attribution_pipeline.cli import app
from attribution_pipeline_tests.cases import WORKED_DAY

POLICY = WORKED_DAY / "policies" / "policy-1.yaml"


def run(*arguments: object) -> Result:
    """The outcome of ``attribution`` with these arguments."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(*arguments: object) -> str:
    """The one line of a refused command, after checking that it is one, on stderr, status 2."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("attribution: ")
    return result.stderr.removeprefix("attribution: ").rstrip("\n")


def test_help_takes_less_than_half_a_second_of_work() -> None:
    assert min(_seconds_of_help() for _ in range(3)) < 0.5


def _seconds_of_help() -> float:
    """Processor time, so that a busy machine does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "from attribution_pipeline.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize(
    ("arguments", "meant"), [((), ("--help",)), (("ledger",), ("ledger", "--help"))]
)
def test_help_is_a_word_too(arguments: tuple[str, ...], meant: tuple[str, ...]) -> None:
    told = run("help", *arguments)
    assert (told.exit_code, told.stdout) == (0, run(*meant).stdout)


def test_without_arguments_it_helps() -> None:
    result = run()
    assert result.exit_code == 0
    for command in ("demo", "init", "run", "ledger", "policy"):
        assert f"  {command} " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["bill"], "No such command 'bill'"),
        (["run"], "Missing option '--from'; see `attribution run --help`"),
        (["run", "--from", "2026-02-30"], "Invalid value for '--from': '2026-02-30' is no day, "
         "write YYYY-MM-DD; see `attribution run --help`"),
        (["run", "--from", "20261005"], "Invalid value for '--from': '20261005' is no day"),
        (["run", "--from", "2026-10-06", "--to", "2026-10-05"],
         "--from 2026-10-06 is after --to 2026-10-05; give the earlier day as --from"),
        (["ledger", "--from", "2026-10-06", "--to", "2026-10-05"],
         "--from 2026-10-06 is after --to 2026-10-05; give the earlier day as --from"),
        (["ledger", "--frm", "2026-10-06"], "No such option: --frm"),
        (["ledger", "--format", "xlsx"], "--format: `xlsx` is no format; use one of: table, csv, "
         "json, parquet"),
        (["ledger", "--as-of", "soon"], "Invalid value for '--as-of': 'soon' is no time, write "
         "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ; see `attribution ledger --help`"),
        (["demo"], "Missing argument 'DIR'; see `attribution demo --help`"),
        (["demo", "x", "--days", "0"], "Invalid value for '--days'"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(arguments: list[str], line: str) -> None:
    assert refusal(*arguments).startswith(line)


def test_command_without_deployment_file_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTRIBUTION_CONFIG", raising=False)
    for arguments in (["ledger"], ["run", "--from", "2026-10-05"], ["policy", "check"]):
        assert refusal(*arguments) == (
            "attribution.yaml: there is no deployment file; give --config FILE, set "
            "$ATTRIBUTION_CONFIG, or write one with `attribution init DIR`"
        )
    assert list(tmp_path.iterdir()) == []


# -- init ----------------------------------------------------------------------------------------


def test_init_writes_a_deployment_and_a_policy_that_validate_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deployment"
    done = run("init", folder, "--first-day", "2026-10-05")
    assert done.exit_code == 0, done.output
    config = folder / "attribution.yaml"
    assert f"attribution run --config {config} --from 2026-10-05" in done.stdout
    checked = run("policy", "check", "--config", config)
    assert checked.exit_code == 0, checked.output
    assert "in force from charge day 2026-10-05" in checked.stdout
    for source in ("billing", "opencost", "spans", "usage", "closes"):
        assert (folder / source).is_dir()


def test_every_key_of_the_templates_carries_a_comment_or_speaks_for_itself(tmp_path: Path) -> None:
    run("init", tmp_path)
    for name in ("attribution.yaml", "policies/policy-1.yaml"):
        text = (tmp_path / name).read_text()
        assert text.count("#") >= 10
        assert "2026-01-01" not in text  # the template's day has given way to this month's


@pytest.mark.parametrize("name", ["attribution.yaml", "policies/policy-1.yaml"])
def test_init_never_overwrites(tmp_path: Path, name: str) -> None:
    there = tmp_path / name
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert refusal("init", tmp_path) == (
        f"{there}: is there already, and nothing is ever overwritten; edit it, or name another "
        "folder"
    )
    assert there.read_text() == "mine"
    assert sorted(tmp_path.rglob("*")) == before


# -- policy check --------------------------------------------------------------------------------


def test_policy_check_says_what_a_valid_policy_holds() -> None:
    result = run("policy", "check", POLICY)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].startswith("worked-day version 1, in force from charge")
    assert result.stdout.splitlines()[-1] == f"{POLICY}: valid"


def test_policy_check_prints_the_runbook_on_request() -> None:
    result = run("policy", "check", POLICY, "--text")
    assert result.stdout.startswith("# worked-day, version 1\n")
    assert "## Pools, first match wins" in result.stdout


def test_policy_check_refuses_a_broken_policy_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(POLICY.read_text().replace("driver: cost", "driver: costs", 1))
    line = path.read_text().splitlines().index("    driver: costs") + 1
    assert refusal("policy", "check", path) == (
        f"{path}:{line}: `pools[3].driver`: `costs` is no driver; did you mean `cost`?"
    )


def test_policy_check_of_a_missing_file_is_one_line(tmp_path: Path) -> None:
    assert refusal("policy", "check", tmp_path / "no.yaml").startswith(
        f"{tmp_path / 'no.yaml'}: there is no such file; "
    )


# -- run and demo, before anything is computed ---------------------------------------------------


def test_run_before_the_first_day_names_the_line_of_the_deployment_file() -> None:
    config = WORKED_DAY / "attribution.yaml"
    assert refusal("run", "--config", config, "--from", "2026-10-01") == (
        f"{config}:2: --from 2026-10-01 is before the deployment's first day; start at "
        "2026-10-05, or move `first_day`"
    )


def test_run_without_its_sources_names_the_line_and_writes_nothing(tmp_path: Path) -> None:
    run("init", tmp_path, "--first-day", "2026-10-05")
    (tmp_path / "spans").rmdir()
    before = sorted(tmp_path.rglob("*"))
    config = tmp_path / "attribution.yaml"
    line = refusal("run", "--config", config, "--from", "2026-10-05")
    assert line.endswith(
        f"source `traces`: there is no {tmp_path / 'spans'}; create the folder, or correct `uri`"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_demo_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    assert refusal("demo", tmp_path) == (
        f"{tmp_path}: is not empty, and nothing is ever overwritten; name a new folder, or remove "
        "this one first"
    )
    assert refusal("demo", tmp_path / "mine").startswith(f"{tmp_path / 'mine'}: is a file; ")
