"""Every block of code in ``docs/envelope.md`` runs as it is written, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import propagate

from attribution_pipeline.envelope import VERDICTS, KeyRing
from attribution_pipeline_tests.test_cli import run

PAGE = Path(__file__).parents[2] / "docs" / "envelope.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_blocks_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    textmap = propagate.get_global_textmap()
    names: dict[str, Any] = {}
    ran = 0
    try:
        for language, block in BLOCKS:
            if language == "python":
                exec(compile(block, str(PAGE), "exec"), names)
            elif language == "sh":
                for line in block.splitlines():
                    _shell(line.replace("TOKEN", names.get("token", "")))
            ran += language in ("python", "sh")
    finally:
        propagate.set_global_textmap(textmap)
    assert ran == 10
    names["provider"].shutdown()
    names["session"].close()


def _shell(line: str) -> None:
    command, *arguments = shlex.split(line)
    assert command == "attribution"
    result = run(*arguments)
    assert result.exit_code == 0, result.output


def test_the_key_file_of_the_page_has_the_form_of_one(tmp_path: Path) -> None:
    block = next(block for language, block in BLOCKS if language == "yaml")
    path = tmp_path / "keys.yaml"
    path.write_text(re.sub(r'secret: "[^"]*"', f'secret: "{"A" * 43}="', block))
    (key,) = KeyRing.load(path)
    assert key.revoked_from is not None


def test_the_page_says_every_verdict() -> None:
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == list(VERDICTS)
