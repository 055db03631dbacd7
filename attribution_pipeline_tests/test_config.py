"""The deployment file: what it says, what it may leave out, and how a mistake reads."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from attribution_pipeline.config import VARIABLE, load_deployment
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.cases import WORKED_DAY

WHOLE = """\
storage: ./lake
first_day: 2026-10-05
policies: ./policies
compute: {threads: 3, memory_limit: 512MiB}
sources:
  billing:
    - {name: aws, uri: ./billing/aws, format: focus, delivery: replace}
    - {name: azure, uri: /srv/azure, delivery: append}
  opencost:
    - {name: prod, cluster: prod, uri: ./opencost}
  spans:
    - {name: traces, uri: ./spans}
  kubernetes:
    - {name: objects, uri: ./kubernetes}
  usage:
    - {name: usage, uri: ./usage}
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "attribution.yaml"
    path.write_text(text)
    return path


def test_worked_day_deployment_loads() -> None:
    deployment = load_deployment(WORKED_DAY / "attribution.yaml")
    assert deployment.first_day == date(2026, 10, 5)
    assert deployment.policies_folder == WORKED_DAY / "policies"
    assert [kind for kind, _, _ in deployment.sources.each()] == [
        "billing", "opencost", "spans", "usage",
    ]  # fmt: skip
    assert deployment.delivery == {"bill": "replace"}
    assert deployment.sources.opencost[0].cluster == "prod"
    assert deployment.compute.threads >= 1
    assert deployment.compute.memory_limit == "4GB"
    deployment.require_inputs()


def test_relative_paths_start_at_the_file_and_not_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deployment"
    folder.mkdir()
    _write(folder, WHOLE)
    monkeypatch.chdir(tmp_path)
    deployment = load_deployment(Path("deployment/attribution.yaml"))
    assert deployment.storage_folder == folder / "lake"
    assert deployment.sources.billing[0].uri == str(folder / "billing" / "aws")
    assert deployment.sources.billing[1].uri == "/srv/azure"
    assert deployment.delivery == {"aws": "replace", "azure": "append"}
    assert (deployment.compute.threads, deployment.compute.memory_limit) == (3, "512MiB")


def test_file_is_the_given_one_then_the_variable_then_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given", "variable", "here"):
        (tmp_path / name).mkdir()
        _write(tmp_path / name, WHOLE)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv(VARIABLE, raising=False)
    assert load_deployment().storage_folder == tmp_path / "here" / "lake"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "variable" / "attribution.yaml"))
    assert load_deployment().storage_folder == tmp_path / "variable" / "lake"
    given = load_deployment(tmp_path / "given" / "attribution.yaml")
    assert given.storage_folder == tmp_path / "given" / "lake"


def test_missing_file_names_every_way_to_give_one(tmp_path: Path) -> None:
    path = tmp_path / "attribution.yaml"
    with pytest.raises(Refusal) as refused:
        load_deployment(path)
    assert refused.value.line() == (
        f"{path}: there is no deployment file; give --config FILE, set ${VARIABLE}, or write one "
        "with `attribution init DIR`"
    )


PLACES_ONLY = "cannot be used; give a folder, or s3://bucket/prefix"
MISTAKES = [
    ("storage: ./lake", "storage: gs://bucket/lake", f"1: `storage`: gs:// {PLACES_ONLY}"),
    ("storage: ./lake", "storage: s3://b",
     "1: `storage`: 's3://b' does not name a bucket: write s3://bucket or s3://bucket/prefix; write "
     "s3://bucket/prefix"),
    ("storage: ./lake", "storage: s3://me:secret@bucket/lake",
     "1: `storage`: a place in a bucket may not hold a user; credentials come from the environment"),
    ("storage: ./lake", "storage: s3://bucket/our lake",
     "1: `storage`: 's3://bucket/our lake' has a prefix of other letters than A-Z a-z 0-9 . _ = - "
     "and /; put the lake under another prefix"),
    ("uri: ./spans", "uri: s3://bucket/a/../b",
     "12: `sources.spans[1].uri`: 's3://bucket/a/../b' has a prefix with an empty or relative part, "
     "or an unprintable letter; write s3://bucket/prefix"),
    ("uri: ./spans", "uri: ./spans, s3: {region: x}",
     "12: `sources.spans[1].s3`: `s3` says how a bucket is reached, and `uri` is a folder; leave it "
     "out, or name s3://bucket/prefix"),
    ("policies: ./policies", "policies: s3://bucket/policies",
     "3: `policies`: s3:// cannot be used here; give a folder"),
    ("sources:\n", "s3: {endpoint: 'http://s3.example.com'}\nsources:\n",
     "5: `s3.endpoint`: the endpoint is not encrypted; use https://, or add `allow_http: true`"),
    ("sources:\n", "s3: {endpoint: 'https://me:secret@s3.example.com'}\nsources:\n",
     "5: `s3.endpoint`: is no endpoint; write https://host or https://host:port, nothing else"),
    ("sources:\n", "s3: {endpoint: 'http://169.254.169.254', allow_http: true}\nsources:\n",
     "5: `s3.endpoint`: 'http://169.254.169.254' is link-local; name the server's"),
    ("uri: ./spans", "uri: https://otel.example.com",
     f"12: `sources.spans[1].uri`: https:// {PLACES_ONLY}"),
    ("storage: ./lake", "storage:",
     "1: `storage` must be text, is empty; give it a value or remove the key"),
    ("storage: ./lake", "storage: ''",
     "1: `storage` is empty; give it a value or remove the key"),
    ("storage: ./lake\n", "", "1: key `storage` is missing; add `storage: ./lake`"),
    ("first_day: 2026-10-05\n", "", "1: key `first_day` is missing; add `first_day: 2026-10-01`"),
    ("first_day: 2026-10-05", "first_day: october",
     "2: `first_day`: 'october' is no day; write a day as YYYY-MM-DD"),
    ("policies: ./policies", "policy: ./policies",
     "3: unknown key `policy`; did you mean `policies`?"),
    ("threads: 3", "threads: 0", "4: `compute.threads` is 0; write 1 or more"),
    ("threads: 3", "thread: 3", "4: unknown key `thread` in `compute`; did you mean `threads`?"),
    ("512MiB", "lots", "4: `compute.memory_limit` cannot be 'lots'; it must match "
     "^[1-9][0-9]*(\\.[0-9]+)? ?([KMGT]i?B)$"),
    ("  spans:", "  span:", "11: unknown key `span` in `sources`; did you mean `spans`?"),
    ("delivery: replace", "delivery: replce",
     "7: `sources.billing[1].delivery` cannot be 'replce'; did you mean `replace`?"),
    ("format: focus", "format: csv",
     "7: `sources.billing[1].format` cannot be 'csv'; use one of: focus, aws, azure, gcp, oci, "
     "openai, anthropic"),
    ("name: azure, ", "", "8: `sources.billing[2]`: key `name` is missing; add `name: main`"),
    ("name: azure", "name: az ure", "8: `sources.billing[2].name` cannot be 'az ure'; it must "
     "match ^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"),
    ("name: azure", "name: aws",
     "8: `sources.billing[2].name`: the name `aws` is used twice; name the sources of a kind "
     "apart"),
    ("uri: /srv/azure", "uri: ./billing/aws/2026",
     "8: `sources.billing[2].uri`: `azure` and `aws` read the same files; give each source a "
     "folder of its own"),
    ("uri: /srv/azure", "uri: ./billing/../billing",
     "8: `sources.billing[2].uri`: `azure` and `aws` read the same files; give each source a "
     "folder of its own"),
    ("uri: ./spans", "uri: .",
     "12: `sources.spans[1].uri`: source `traces` holds `storage`, so it would read its own "
     "tables; put storage beside the sources, not inside one"),
    ("storage: ./lake", "storage: ./lake\nkeys: ./keys.yaml\nkeys_env: KEYS",
     "3: `keys_env`: `keys` and `keys_env` both say where the keys are; keep one"),
    ("sources:\n", "sources:\nx:\n", "6: unknown key `x`; use one of: storage, first_day, "
     "policies, keys, keys_env, audience, sources, s3, scratch, compute, engine, spark, dagster, "
     "alerts, pull, scheduled_workflows"),
    ("sources:\n", "dagster: {base_url: dagster.example.com}\nsources:\n",
     "5: `dagster.base_url`: 'dagster.example.com' is no web address; write one like "
     "https://dagster.example.com"),
    ("sources:\n", "alerts: [{name: ops, url_env: A}, {name: ops, url_env: B}]\nsources:\n",
     "5: `alerts[2].name`: the name `ops` is used twice; name the channels apart"),
    ("sources:\n", "alerts: [{name: ops, url_env: 'slack://secret'}]\nsources:\n",
     "5: `alerts[1].url_env`: does not name an environment variable; put the URL into an "
     "environment variable, and its name here"),
    (WHOLE[WHOLE.index("sources:"):], "sources: ./in",
     "5: `sources` must be a mapping, is './in'; write `key: value` lines under it"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "line"), MISTAKES, ids=lambda text: text[:40])
def test_mistake_is_one_line_with_place_and_remedy(
    tmp_path: Path, good: str, bad: str, line: str
) -> None:
    assert good in WHOLE
    path = _write(tmp_path, WHOLE.replace(good, bad, 1))
    with pytest.raises(Refusal) as refused:
        load_deployment(path)
    assert refused.value.line() == f"{path}:{line}"


def test_budgets_and_outcomes_are_sources_like_any_other(tmp_path: Path) -> None:
    more = "  reservations:\n    - {name: b, uri: ./b}\n  outcomes:\n    - {name: o, uri: ./o}\n"
    deployment = load_deployment(_write(tmp_path, WHOLE + more))
    named = {kind: source.name for kind, _, source in deployment.sources.each()}
    assert (named["reservations"], named["outcomes"]) == ("b", "o")


def test_input_that_is_not_there_names_its_line(tmp_path: Path) -> None:
    path = _write(tmp_path, WHOLE)
    deployment = load_deployment(path)
    with pytest.raises(Refusal) as refused:
        deployment.require_inputs()
    assert refused.value.line() == (
        f"{path}:3: there is no folder {tmp_path / 'policies'}; create it with a policy, or "
        "correct `policies`"
    )
    (tmp_path / "policies").mkdir()
    with pytest.raises(Refusal) as refused:
        deployment.require_inputs()
    assert refused.value.line() == (
        f"{path}:7: source `aws`: there is no {tmp_path / 'billing' / 'aws'}; create the folder, "
        "or correct `uri`"
    )


def test_folder_of_close_records_may_be_missing_until_one_is_written(tmp_path: Path) -> None:
    for folder in ("policies", "bill"):
        (tmp_path / folder).mkdir()
    text = (
        "storage: ./lake\nfirst_day: 2026-10-05\npolicies: ./policies\nsources:\n"
        "  billing: [{name: bill, uri: ./bill}]\n  closes: [{name: closes, uri: ./closes}]\n"
    )
    deployment = load_deployment(_write(tmp_path, text))
    deployment.require_inputs()
    assert [(kind, source.name) for kind, _, source in deployment.sources.each()] == [
        ("billing", "bill"), ("closes", "closes"),
    ]  # fmt: skip


def test_reading_the_deployment_imports_nothing_heavy() -> None:
    heavy = ("pyarrow", "duckdb", "dagster", "pandas", "deltalake", "numpy")
    code = (
        "import sys, attribution_pipeline.config, attribution_pipeline.cli; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
