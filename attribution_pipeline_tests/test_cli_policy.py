"""``attribution policy``: check, diff, list and restore on the worked day."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import rewrite
from attribution_pipeline_tests.proof.replays import worked_day
from attribution_pipeline_tests.test_cli import refusal, run

DAY = "2026-10-05"


@pytest.fixture(autouse=True)
def _no_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are nobody's history."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day, recorded: copied, never written to."""
    history = worked_day(tmp_path_factory.mktemp("worked"))
    history.record()
    return history.folder


@pytest.fixture
def config(recorded_once: Path, tmp_path: Path) -> Path:
    """The deployment file of a recorded worked day, the test's own copy."""
    return shutil.copytree(recorded_once, tmp_path / "day") / "attribution.yaml"


def first(config: Path) -> Path:
    return config.parent / "policies" / "policy-1.yaml"


def draft(config: Path, version: int = 2, effective: str = "2026-10-01") -> Path:
    """A version with another driver for one pool, not published."""
    path = config.parent / f"draft-{version}.yaml"
    shutil.copyfile(first(config), path)
    rewrite(path, "version: 1", f"version: {version}")
    rewrite(path, "effective_from: 2026-10-01", f"effective_from: {effective}")
    rewrite(path, "driver: usage.query_units", "driver: even")
    return path


UNTAKEN = "no rule takes: Amazon Route 53 / no SkuMeter, Units (0.50 USD)"
"""The worked day's one charge without a rule."""


# -- check ---------------------------------------------------------------------------------------


def test_check_says_which_recorded_days_a_draft_would_govern_and_how_to_apply_it(
    config: Path,
) -> None:
    result = run("policy", "check", draft(config), "--config", config)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-5:] == [
        "governs 1 recorded day: 2026-10-05",
        "would be computed anew under it: 1 day: 2026-10-05",
        "  attribution run --from 2026-10-05 --to 2026-10-05",
        UNTAKEN,
        f"{draft(config)}: valid",
    ]


def test_check_says_of_what_a_cost_driver_weighs_and_which_models_never_meet(config: Path) -> None:
    path = draft(config)
    for kind in ("input", "cache-read", "output"):
        rewrite(path, f"(?P<model>.+)-{kind}-tokens$", f"(?P<model>.+-{kind})-tokens$")
    result = run("policy", "check", path, "--config", config)
    assert result.exit_code == 0, result.output
    said = result.stdout.splitlines()
    assert (
        "`cost` in support, tax, credits (overhead) weighs costs of everything that is not overhead "
        "(meters, pods, shared pools, tags, idle, what no rule takes)"
    ) in said
    (apart,) = [line for line in said if line.startswith("aws.bedrock: ")]
    assert "meet no call, and calls of anthropic.claude-sonnet meet no charge" in apart


def test_check_of_a_version_for_later_days_governs_none(config: Path) -> None:
    path = draft(config, effective="2026-10-06")
    result = run("policy", "check", path, "--config", config)
    assert "governs no recorded day" in result.stdout.splitlines()


def test_check_of_a_number_that_was_used_with_another_content_is_refused(config: Path) -> None:
    path = draft(config, version=2)
    rewrite(path, "version: 2", "version: 1")
    line = refusal("policy", "check", path, "--config", config)
    assert line.startswith(
        f"{path}:2: version 1 of policy worked-day is published with two contents"
    )
    first(config).rename(config.parent / "policies" / "policy-3.yaml")
    rewrite(config.parent / "policies" / "policy-3.yaml", "version: 1", "version: 3")
    line = refusal("policy", "check", path, "--config", config)
    assert line.startswith(f"{path}:2: version 1 of policy worked-day was changed after {DAY}")


def test_check_of_the_deployment_holds_published_files_against_what_was_used(config: Path) -> None:
    result = run("policy", "check", "--config", config)
    assert "all of them are recorded under it" in result.stdout
    rewrite(first(config), "driver: usage.query_units", "driver: even")
    assert "was changed after 2026-10-05 was recorded" in refusal(
        "policy", "check", "--config", config
    )


def test_check_without_a_deployment_says_nothing_of_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTRIBUTION_CONFIG", raising=False)
    alone = tmp_path / "policy.yaml"
    shutil.copyfile(WORKED_DAY / "policies" / "policy-1.yaml", alone)
    result = run("policy", "check", alone)
    assert result.exit_code == 0
    assert "governs" not in result.stdout


def test_check_of_a_file_finds_the_deployment_in_whose_policies_it_lies(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTRIBUTION_CONFIG", raising=False)
    for named in (first(config), first(config).parent):
        said = run("policy", "check", named).stdout.splitlines()
        assert f"held against {config}" in said
        assert "all of them are recorded under it" in said
    rewrite(first(config), "driver: usage.query_units", "driver: even")
    assert refusal("policy", "check", first(config)).endswith(
        "copy your edit to policy-2.yaml with `version: 2`, then put the used one back: "
        "attribution policy restore 1"
    )
    text = config.read_text()
    rewrite(config, "storage: ./lake", "storage: s3://nobody/lake")
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)  # refused before anything is asked
    alone = run("policy", "check", first(config))
    assert alone.exit_code == 0
    assert f"note: not held against {config}: s3: no region" in alone.stderr
    config.write_text(text)
    # a folder beside a deployment that reads another one is none of its
    drafts = config.parent / "drafts"
    drafts.mkdir()
    shutil.move(first(config), drafts / "policy-1.yaml")
    assert "governs" not in run("policy", "check", drafts / "policy-1.yaml").stdout


def test_check_and_diff_name_rules_that_took_nothing_and_models_that_meet_none(
    config: Path,
) -> None:
    path = draft(config)
    text = path.read_text()
    for kind in ("input", "cache-read", "output"):  # the model that each names is one of its own
        text = text.replace(f"(?P<model>.+)-{kind}-tokens$", f"(?P<model>.+-{kind})-tokens$")
    path.write_text(text)
    rewrite(
        path, "pools:\n", "owners: [{tenant: nobody, team: x}]\nserving:\n"
        "  - {model: '*', workload: {namespace: elsewhere}}\npools:\n"
        "  - {name: typo, match: {ServiceName: 'AWS Suport*'}, driver: even}\n",
    )  # fmt: skip
    idle = [
        "took nothing on 1 day: 2026-10-05:",
        "  serving 1: calls match it, and no pod is of its workload elsewhere/*",
        "  pools 1 `typo`: no charge with ServiceName = AWS Suport*",
        "  owners 1: no row with tenant = nobody and workflow = *",
    ]
    model = "anthropic.claude-sonnet"
    apart = (
        f"aws.bedrock: charges of {model}-cache-read, {model}-input, {model}-output meet no call, and calls "
        f"of {model} meet no charge. Where the bill only spells a model otherwise, give it a meter of its own "
        "with `model: NAME` as calls name it"
    )
    said = run("policy", "check", path, "--config", config).stdout.splitlines()
    asked = f"{idle[-1]} (asked of rows as version 1 made them)"
    assert said[-7:] == [*idle[:-1], asked, UNTAKEN, apart, f"{path}: valid"]
    result = run("policy", "diff", "1", path, "--from", DAY, "--config", config)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[-5:] == [f"under B {idle[0]}", *idle[1:], f"under B, {apart}"]


# -- diff ----------------------------------------------------------------------------------------


def test_diff_shows_what_a_draft_changes_per_tenant_component_and_pool(config: Path) -> None:
    result = run("policy", "diff", "1", draft(config), "--from", DAY, "--config", config)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["tenant_id", "component", "pool", "billing_currency"]
    largest = lines[2].split()
    assert largest[:4] == ["tenant-b", "shared", "vectors", "USD"]
    assert largest[4:7] == ["1.041666666667", "2.500000000000", "1.458333333333"]
    assert any(line.startswith("(unmatched_charge)") for line in lines)  # one quantum of tax
    assert lines[-2].startswith("1 of 1 day change, ")
    assert lines[-1] == (
        "total USD: under A 46.960000000000, under B 46.960000000000, difference 0.000000000000"
    )
    told = result.stderr.splitlines()
    assert told[0].startswith(
        "A: worked-day version 1, in force from charge day 2026-10-01, digest"
    )
    assert told[1].startswith(f"B: worked-day {draft(config)} (version 2), in force from")
    assert told[2] == "once published, B governs 1 day: 2026-10-05"
    assert told[3].startswith("2026-10-05  1 of 1: ")


def test_diff_to_a_file_is_rows_alone_and_tells_the_rest(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "diff.csv"
    arguments = ("1", draft(config), "--from", DAY, "--config", config, "--out", out)
    result = run("policy", "diff", *arguments, "--by", "tenant_id", "--metric", "billed_cost")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    records = list(csv.DictReader(io.StringIO(out.read_text())))
    assert list(records[0])[:2] == ["tenant_id", "unallocated_reason"]
    assert {record["metric"] for record in records} == {"billed_cost"}
    assert f"wrote {out}: {len(records)} groups" in result.stderr
    assert "under A 50.260000000000, under B 50.260000000000, difference 0.0000" in result.stderr


def test_diff_as_json_is_json_alone_on_stdout(config: Path) -> None:
    result = run("policy", "diff", "1", "1", "--from", DAY, "--config", config, "--format", "json")
    rows = json.loads(result.stdout)
    assert rows
    assert {row["change"] for row in rows} == {"0.000000000000"}


def test_diff_tells_what_could_mislead(config: Path) -> None:
    path = draft(config)
    rewrite(path, "version: 2", "version: 1")
    rewrite(path, "metric: effective_cost", "metric: billed_cost")
    rewrite(
        path, "tenant_tag: tenant", "tenant_tag: tenant\n  attributes: {tenant_id: [my.tenant]}"
    )
    result = run("policy", "diff", "1", path, "--from", DAY, "--config", config)
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: chargeback sums effective_cost under A and billed_cost under B; see both with "
        "--metric",
        "note: of these days 1 landed span object was not read for my.tenant, so the figures of B "
        "are without; landing reads them again where a published version that names them governs",
        f"note: B cannot be published as it is: {path}:2: version 1 of policy worked-day is "
        f"published with two contents (also in {first(config)}:2); a change is a new version: "
        "number it so",
    ]
    assert "(billed_cost)" in result.stdout


def test_diff_of_sides_that_do_not_divide_one_total_fails(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from attribution_pipeline.views.policy_diff import Difference

    monkeypatch.setattr(Difference, "is_even", property(lambda _: False))
    result = run("policy", "diff", "1", "1", "--from", DAY, "--config", config)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("failed: the two sides do not divide the same")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["1", "2"], "there is no version 2; published are: 1"),
        (["1", "no.yaml"], "no.yaml: there is no such file; check the path"),
        (["1", "1", "--metric", "cost"], "--metric: `cost` is no cost; use one of: billed_cost"),
        (["1", "1", "--by", "revision"], "--by: `revision` is no column to group by"),
        (["1", "1", "--format", "parquet"], "--format: `parquet` is no format; use one of: table"),
        (["1", "1", "--to", "2026-10-04"], "--from 2026-10-05 is after --to 2026-10-04"),
        (["1", "1", "--to", "2999-01-01"], "2999-01-01 is not over yet (UTC)"),
    ],
)
def test_diff_that_cannot_be_is_one_line(config: Path, arguments: list[str], line: str) -> None:
    said = refusal("policy", "diff", *arguments, "--from", DAY, "--config", config)
    assert line in said


# -- list and restore ----------------------------------------------------------------------------


def test_list_shows_versions_with_the_days_recorded_under_each(config: Path) -> None:
    shutil.copyfile(draft(config), config.parent / "policies" / "policy-2.yaml")
    lines = run("policy", "list", "--config", config).stdout.splitlines()
    assert lines[2].split()[:2] == ["1", "2026-10-01"]
    assert "1 day: 2026-10-05" in lines[2]
    assert "none" in lines[3]
    run("run", "--config", config, "--from", DAY)
    one, two = run("policy", "list", "--config", config).stdout.splitlines()[2:]
    assert "none" in one
    assert "1 day: 2026-10-05" in one  # an earlier state is on record
    assert "1 day: 2026-10-05" in two


def test_a_version_that_is_gone_is_listed_refused_and_restored(config: Path) -> None:
    before = first(config).read_text()
    shutil.copyfile(draft(config), config.parent / "policies" / "policy-2.yaml")
    first(config).unlink()
    assert "GONE; attribution policy restore 1" in run("policy", "list", "--config", config).stdout
    assert (
        "version 1 of policy worked-day is gone, and 2026-10-05 was recorded under it"
        in refusal("run", "--config", config, "--from", DAY)
    )
    result = run("policy", "restore", "1", "--config", config)
    assert result.stdout == f"wrote {first(config)}\n"
    assert first(config).read_text() != before  # comments and layout are not known any more
    listed = run("policy", "list", "--config", config).stdout
    assert "GONE" not in listed
    assert run("run", "--config", config, "--from", DAY).exit_code == 0


def test_restoring_over_an_edited_file_keeps_the_edit_and_says_how_to_publish_it(
    config: Path,
) -> None:
    edits = []
    for driver in ("even", "requests"):
        rewrite(first(config), "driver: usage.query_units", f"driver: {driver}  # mine")
        edits.append(first(config).read_bytes())
        assert "CHANGED since it was used" in run("policy", "list", "--config", config).stdout
        said = run("policy", "restore", "1", "--config", config).stdout.splitlines()
        assert said[0] == f"wrote {first(config)}"
    aside = first(config).with_name("policy-1.yaml.edited")
    second = first(config).with_name("policy-1.yaml.edited-2")
    assert [aside.read_bytes(), second.read_bytes()] == edits
    new = first(config).with_name("policy-2.yaml")
    assert said[1:] == [
        f"kept your edit as {second}; to publish it:",
        f"  mv {second} {new}   # and write `version: 2` in it",
    ]
    second.rename(new)
    rewrite(new, "version: 1", "version: 2")
    assert run("policy", "check", "--config", config).exit_code == 0


def test_a_changed_file_gets_a_number_and_the_used_version_comes_back_beside_it(
    config: Path,
) -> None:
    rewrite(first(config), "driver: usage.query_units", "driver: even")
    rewrite(first(config), "version: 1", "version: 2")
    result = run("policy", "restore", "1", "--config", config)
    assert result.stdout == f"wrote {first(config).with_name('policy-1-restored.yaml')}\n"
    assert run("policy", "check", "--config", config).exit_code == 0


def test_restoring_what_is_published_or_was_never_used_writes_nothing(config: Path) -> None:
    before = sorted((config.parent / "policies").iterdir())
    result = run("policy", "restore", "1", "--config", config)
    assert result.stdout == f"{first(config)}: version 1 is published as it was used\n"
    assert "no recorded day used version 9; attribution policy list shows" in refusal(
        "policy", "restore", "9", "--config", config
    )
    assert sorted((config.parent / "policies").iterdir()) == before


def test_diff_of_an_edited_version_by_its_number_is_refused(config: Path) -> None:
    path = draft(config)
    rewrite(first(config), "driver: usage.query_units", "driver: even")
    said = refusal("policy", "diff", "1", path, "--from", DAY, "--config", config)
    assert "version 1 of policy" in said
    assert said.endswith("attribution policy restore 1")
