"""The units for systemd are what systemd reads, and start what the programs understand.

Belongs here: ``systemd/``. Does not: the guide's commands (``test_how_to``).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.programs import understood

SYSTEMD = REPOSITORY / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
COMMON = SYSTEMD / "attribution-.service.d" / "common.conf"
CHECKOUT = "/opt/attribution"
GUIDE = (REPOSITORY / "docs" / "how-to" / "production.md").read_text()


def _started(unit: Path) -> list[str]:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(unit)
    return parser["Service"]["ExecStart"].split()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_what_its_program_understands(unit: Path) -> None:
    program, *rest = _started(unit)
    assert Path(program).parent == Path(CHECKOUT) / ".venv" / "bin"
    understood([program, *rest])
    if "dagster" in program:
        assert rest[rest.index("-w") + 1] == "workspace.yaml", "read in the checkout"
    if "webserver" in program:
        assert rest[rest.index("-h") + 1] == "127.0.0.1", "nobody asks who comes"
    assert "--host" not in rest


def test_the_guide_turns_every_unit_on_and_no_other() -> None:
    (turned_on,) = re.findall(r"systemctl enable --now (.+)", GUIDE)
    assert sorted(turned_on.split()) == sorted(unit.stem for unit in UNITS)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd to ask")
def test_systemd_reads_the_units_without_a_word(tmp_path: Path) -> None:
    """With a program in place of those under /opt, which are not there yet."""
    copy = shutil.copytree(SYSTEMD, tmp_path / "units")
    for unit in copy.glob("*.service"):
        text = re.sub(rf"{CHECKOUT}/\.venv/bin/[\w-]+", "/bin/true", unit.read_text())
        unit.write_text(text)
    assert _verified(copy) == (0, "")
    wrong = COMMON.read_text().replace("ProtectSystem=strict", "ProtectSystem=strictly")
    (copy / COMMON.relative_to(SYSTEMD)).write_text(wrong)
    assert "strictly" in _verified(copy)[1], "what all have in common is not read"


def _verified(folder: Path) -> tuple[int, str]:
    units = [str(unit) for unit in sorted(folder.glob("*.service"))]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr
