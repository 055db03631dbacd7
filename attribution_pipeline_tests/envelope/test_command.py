"""``attribution envelope``: secrets go to a file that one user reads, refusals are one line."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attribution_pipeline.cli import app
from attribution_pipeline.config import load_deployment
from attribution_pipeline.envelope import KeyRing, verify
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.test_cli import refusal, run

CLAIMS = (
    "--tenant", "acme", "--originator", "user:42", "--workflow", "w", "--operation", "o",
    "--audience", "prod",
)  # fmt: skip


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    assert run("envelope", "keygen", "gw", "--out", path).exit_code == 0
    return path


def issued(keys: Path, key: str = "gw", *more: object) -> str:
    result = run("envelope", "issue", "--keys", keys, "--key", key, *CLAIMS, *more)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_key_is_written_for_its_owner_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    result = run("envelope", "keygen", "gw", "--out", path)
    assert result.stdout == f"wrote gw (hmac-sha256) to {path}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (secret,) = [line.split('"')[1] for line in path.read_text().splitlines() if "secret:" in line]
    assert secret not in result.output


def test_an_ed25519_key_comes_in_two_parts(tmp_path: Path) -> None:
    whole, public = tmp_path / "whole.yaml", tmp_path / "public.yaml"
    result = run(
        "envelope", "keygen", "p", "--out", whole, "--algorithm", "ed25519",
        "--tenant", "acme*", "--tenant", "globex", "--public-out", public,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (signs,), (verifies,) = KeyRing.load(whole), KeyRing.load(public)
    assert (signs.can_sign, verifies.can_sign) == (True, False)
    assert signs.tenants == verifies.tenants == ("acme*", "globex")
    assert "private" not in public.read_text()
    assert verify(issued(whole, "p"), KeyRing.load(public))


def test_a_day_is_its_begin_and_its_end(tmp_path: Path) -> None:
    path = tmp_path / "k.yaml"
    run("envelope", "keygen", "k", "--out", path, "--not-before", "2026-01-01",
        "--not-after", "2026-01-01")  # fmt: skip
    (key,) = KeyRing.load(path)
    assert (key.not_before, key.not_after) == (1_767_225_600, 1_767_225_600 + 86_399)


def test_issue_prints_the_token_alone_and_verify_says_what_it_is_worth(keys: Path) -> None:
    token = issued(keys, "gw", "--consumer", "team", "--lifetime", "60")
    claims = verify(token, KeyRing.load(keys)).claims
    assert claims is not None
    assert (claims.consumer_id, claims.expires_at - claims.issued_at) == ("team", 60)
    good = run("envelope", "verify", token, "--keys", keys, "--audience", "prod")
    assert good.exit_code == 0
    assert good.stdout.startswith(
        "verdict: verified\nsigning_key_id: gw\nclaims:\n  tenant_id: acme"
    )
    wrong = run("envelope", "verify", token, "--keys", keys, "--audience", "staging")
    assert wrong.exit_code == 1
    assert wrong.stdout.startswith("verdict: bad_signature (it is meant for another audience)\n")
    assert "claims, not proven:\n" in wrong.stdout
    late = run("envelope", "verify", token, "--keys", keys, "--at", "2099-01-01")
    assert (late.exit_code, late.stdout.splitlines()[0]) == (
        1, "verdict: expired (it was used after expires_at)",
    )  # fmt: skip


def test_verify_reads_standard_input(keys: Path) -> None:
    arguments = ["envelope", "verify", "--keys", str(keys)]
    result = CliRunner().invoke(app, arguments, input=issued(keys) + "\n")
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(app, arguments, input="").stdout == (
        "verdict: unsigned (there is no envelope)\n"
    )
    assert CliRunner().invoke(app, arguments, input="x").exit_code == 1


def test_the_deployment_brings_its_keys(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = "storage: ./lake\nfirst_day: 2026-10-01\npolicies: ./p\nsources: {}\n"
    token = issued(keys)
    monkeypatch.setenv("GATEWAY_KEYS", keys.read_text())
    for extra in ("keys: ./keys.yaml\n", "keys_env: GATEWAY_KEYS\naudience: prod\n"):
        file = tmp_path / "attribution.yaml"
        file.write_text(whole + extra)
        assert run("envelope", "verify", token, "--config", file).exit_code == 0
        assert [key.key_id for key in load_deployment(file).key_ring()] == ["gw"]
    assert load_deployment(file).key_ring().audience == "prod"
    file.write_text(whole + "keys: ./keys.yaml\naudience: staging\n")
    assert "another audience" in run("envelope", "verify", token, "--config", file).stdout
    file.write_text(whole)
    assert len(load_deployment(file).key_ring()) == 0
    assert run("envelope", "verify", token, "--config", file).exit_code == 1


def test_a_broken_key_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "attribution.yaml"
    (tmp_path / "p").mkdir()
    file.write_text(
        "storage: ./lake\nfirst_day: 2026-10-01\npolicies: ./p\nkeys: ./keys.yaml\nsources: {}\n"
    )
    with pytest.raises(Refusal, match=f"^{file}:4: there is no key file .*; write one with"):
        load_deployment(file).require_inputs()
    (tmp_path / "keys.yaml").write_text("keys:\n- key_id: a\n  algorithm: hmac-sha256\n")
    load_deployment(file).require_inputs()
    said = f"{tmp_path}/keys.yaml:2: hmac-sha256 has a `secret`, and neither `private` nor `public`"
    assert refusal("envelope", "verify", "x", "--config", file).startswith(said)
    assert refusal("envelope", "verify", "x", "--keys", tmp_path / "keys.yaml").startswith(said)
    (tmp_path / "keys.yaml").unlink()
    assert "cannot be read (No such file or directory)" in refusal(
        "envelope", "verify", "x", "--config", file
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["keygen", "a b", "--out", "K"], "attribution envelope: a key id is no identifier"),
        (["keygen", "gw", "--out", "K"], "K: knows a key gw already; choose another id"),
        (["keygen", "x", "--out", "none/k"], "none/k: cannot be written (No such file"),
        (["keygen", "x", "--out", "K", "--algorithm", "rsa"],
         "--algorithm: `rsa` is no algorithm; use one of: hmac-sha256, ed25519"),
        (["keygen", "x", "--out", "K", "--public-out", "P"],
         "--public-out: an hmac-sha256 key has no public part; add --algorithm ed25519"),
        (["keygen", "x", "--out", "K", "--not-before", "2026-02-01", "--not-after", "2026-01-01"],
         "attribution envelope: `not_after` is before `not_before`"),
        (["issue", "--keys", "K", "--key", "other", *CLAIMS],
         "--key: there is no key `other`; known are: gw"),
        (["issue", "--keys", "K", "--key", "gw", *CLAIMS, "--project", "a b"],
         "attribution envelope: project is no identifier"),
        (["issue", "--keys", "K", "--key", "gw", *CLAIMS, "--lifetime", "0"],
         "attribution envelope: expires_at must be after issued_at"),
    ],
)  # fmt: skip
def test_refusals(
    keys: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    monkeypatch.chdir(keys.parent)
    before = keys.read_text()
    (keys.parent / "K").symlink_to(keys)
    assert refusal("envelope", *arguments).startswith(line)
    assert keys.read_text() == before
    assert sorted(path.name for path in keys.parent.iterdir()) == ["K", "keys.yaml"]
