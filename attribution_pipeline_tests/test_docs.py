"""The documentation says what the code says, its links lead somewhere, and it needs no network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attribution_pipeline_tests.cases import REPOSITORY

FOREIGN = re.compile(
    r"<(?:script|img|iframe|source)[^>]+src=\"https?://|<link[^>]+rel=\"(?:stylesheet|preconnect|icon)\""
    r"[^>]+href=\"https?://|@import\s+url\(\"?https?://"
)
"""What a browser would fetch from elsewhere by itself."""


def test_reference_pages_are_what_the_code_says(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / "write_reference.py", tmp_path], check=True
    )
    written = {page.name: page.read_text() for page in tmp_path.iterdir()}
    committed = {
        page.name: page.read_text() for page in (REPOSITORY / "docs" / "reference").iterdir()
    }
    assert written == committed, "run `make docs`, and commit docs/reference"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a link to a page or a heading that is not there fails."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(REPOSITORY / "docs", folder / "docs")
    (folder / "zensical.toml").write_text((REPOSITORY / "zensical.toml").read_text())
    done = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--strict"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


def test_every_page_is_in_the_navigation(site: Path) -> None:
    nav = (REPOSITORY / "zensical.toml").read_text()
    pages = [path.relative_to(REPOSITORY / "docs") for path in (REPOSITORY / "docs").rglob("*.md")]
    lost = [str(page) for page in pages if f'"{page}"' not in nav and page.parts[0] != "decisions"]
    assert lost == []
    assert all(
        (site / page.with_suffix(".html")).is_file() or page.name == "README.md" for page in pages
    )


def test_the_site_needs_no_network(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    asks = {str(page.relative_to(site)): FOREIGN.findall(page.read_text()) for page in pages}
    assert {page: found for page, found in asks.items() if found} == {}
