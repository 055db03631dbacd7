"""``attribution packet`` and ``attribution verify``: their lines, files and exit statuses."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.proof.replays import History, worked_day
from attribution_pipeline_tests.test_cli import run

VARIABLE = "ATTRIBUTION_PACKET_KEY"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The worked day, recorded once; packets are written elsewhere."""
    history = worked_day(tmp_path_factory.mktemp("packet"))
    history.record()
    return history


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key; its public part stands beside it."""
    assert run("packet", "--new-key", tmp_path / "k.pem").exit_code == 0
    return tmp_path / "k.pem"


def packet(history: History, out: Path, *options: object, tenant: str = "tenant-a"):
    config = history.folder / "attribution.yaml"
    return run("packet", "--config", config, "--tenant", tenant, "--from", DAY.isoformat(),
               "--out", out, *options)  # fmt: skip


def refusal(result: Any) -> str:
    """The one line of a refusal."""
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return str(line)


def test_a_packet_is_written_and_verified_without_a_deployment(
    recorded: History, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "a.tar"
    written = packet(recorded, out, "--key", key)
    assert written.exit_code == 0, written.output
    assert "15 rows of 8 charges, 3 operations" in written.stdout
    monkeypatch.chdir(tmp_path)  # no attribution.yaml here
    found = run("verify", out, "--key", tmp_path / "k.pub.pem")
    assert found.exit_code == 0, found.output
    assert found.stdout.endswith("\nverified\n")
    assert "15 rows sum to the stated totals" in found.stdout


def test_the_key_may_come_from_the_environment_and_is_never_said(
    recorded: History, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    secret = key.read_text().splitlines()[1]
    monkeypatch.setenv(VARIABLE, key.read_text())
    written = packet(recorded, tmp_path / "a.tar")
    assert written.exit_code == 0, written.output
    assert run("verify", tmp_path / "a.tar", "--key", tmp_path / "k.pub.pem").exit_code == 0
    assert secret not in written.output
    assert secret.encode() not in (tmp_path / "a.tar").read_bytes()


def test_a_new_key_is_its_owners_alone_and_replaces_nothing(key: Path, tmp_path: Path):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    again = run("packet", "--new-key", key)
    assert "there is a file already" in refusal(again)
    assert key.read_bytes() == before


def test_verify_says_by_its_status_what_is_wrong(recorded: History, key: Path, tmp_path: Path):
    out = tmp_path / "a.tar"
    assert packet(recorded, out, "--key", key).exit_code == 0
    run("packet", "--new-key", tmp_path / "other.pem")
    assert run("verify", out, "--key", tmp_path / "other.pub.pem").exit_code == 3
    assert run("verify", tmp_path / "none.tar", "--key", tmp_path / "k.pub.pem").exit_code == 2
    content = bytearray(out.read_bytes())
    content[-2000] ^= 1
    out.write_bytes(content)
    found = run("verify", out, "--key", tmp_path / "k.pub.pem")
    assert found.exit_code == 4
    assert "FAILED: a file is missing, extra, truncated or changed" in found.stdout


def test_what_cannot_be_done_is_one_line_and_writes_nothing(
    recorded: History, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(VARIABLE, raising=False)
    out = tmp_path / "a.tar"
    assert "no signing key" in refusal(packet(recorded, out))
    assert "no private key" in refusal(packet(recorded, out, "--key", tmp_path / "k.pub.pem"))
    assert "cannot be read" in refusal(packet(recorded, out, "--key", tmp_path / "none.pem"))
    assert "no row of tenant nobody" in refusal(
        packet(recorded, out, "--key", key, tenant="nobody")
    )
    assert "needs --tenant" in refusal(run("packet", "--out", out))
    assert not out.exists()
    out.write_text("mine")
    assert "there is a file already" in refusal(packet(recorded, out, "--key", key))
    assert out.read_text() == "mine"
