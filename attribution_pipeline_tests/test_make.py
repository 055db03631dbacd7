"""What ``make`` starts ends with it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

MAKEFILE = Path(__file__).parents[1] / "Makefile"

STANDS_IN = """#!/usr/bin/env bash
trap 'echo ended > ended; exit 143' TERM
echo started
sleep 20 &
wait $!
"""
"""As ``scripts/ui.sh`` ends: it has children of its own, and a trap that ends them."""


def test_make_ui_that_is_told_to_end_ends_what_it_started(tmp_path: Path) -> None:
    recipe = MAKEFILE.read_text().partition("\nui: ")[2].split("\n")[1]
    assert "./scripts/ui.sh" in recipe
    (tmp_path / "Makefile").write_text(f"ui:\n{recipe}\n")
    script = tmp_path / "scripts" / "ui.sh"
    script.parent.mkdir()
    script.write_text(STANDS_IN)
    script.chmod(0o755)
    with subprocess.Popen(
        ["make", "-s", "ui"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, text=True,
    ) as made:  # fmt: skip
        assert made.stdout is not None
        assert made.stdout.readline() == "started\n"
        # make alone is told, as by systemd or a closed step: no terminal tells the whole group
        made.send_signal(signal.SIGTERM)
        try:
            assert made.wait(10)
            assert (tmp_path / "ended").exists()
        finally:
            signal_group(made.pid)


def signal_group(leader: int) -> None:
    """End what is left of a session that this test began."""
    import contextlib
    import os

    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
