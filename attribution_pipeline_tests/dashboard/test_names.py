"""Names of the outside stay names: no markup, no formula, no link of theirs, and they survive."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.views.dashboard.app import dashboard
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline_tests.dashboard.asking import ask
from attribution_pipeline_tests.dashboard.companies import HOSTILE, hostile
from attribution_pipeline_tests.proof.replays import History


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    made = hostile(tmp_path_factory.mktemp("hostile"))
    made.record()
    return made


@pytest.fixture(scope="module")
def opened(history: History) -> Iterator[Books]:
    books = Books(load_deployment(history.folder / "attribution.yaml"))
    yield books
    books.close()


def test_a_hostile_name_is_text_wherever_it_stands(opened: Books) -> None:
    app = dashboard(opened)
    where = f"tenant_id={quote_plus(HOSTILE)}"
    pages = ["/overview", "/product", "/explain", f"/spend?{where}", f"/spend?{where}&none=feature"]
    for url in pages:
        answer = ask(app, url)
        assert answer.status == 200
        assert "<img" not in answer.text
        assert 'href="javascript:' not in answer.text
        seen = re.sub(r'value="[^"]*"', "", answer.text)  # what a form sends back is not shown
        assert "\u202e" not in seen
    shown = ask(app, "/product").text
    assert "=&lt;img src=x onerror=alert(1)&gt; [a](javascript:b) ツ\ufffd&amp;amp;" in shown


def test_a_hostile_name_leads_down_the_path(opened: Books) -> None:
    app = dashboard(opened)
    page = ask(app, ask(app, "/spend?month=2026-10").first_link("/spend?", "none=feature"))
    page = ask(app, page.first_link(f"tenant_id={HOSTILE}"))
    assert page.status == 200
    assert "&lt;img src=x" in page.text
    copied = re.findall(r"data-copy-text>(.*?)</code>", page.text, re.DOTALL)
    assert any(
        "attribution packet --tenant &#39;=" in re.sub(r"</?span>", "", one) for one in copied
    ), "quoted for a shell"


def test_an_export_runs_no_formula_and_keeps_the_name(opened: Books) -> None:
    app = dashboard(opened)
    text = ask(app, "/product/product.csv").text
    assert f'"\'{HOSTILE}"' in text
    assert f",{HOSTILE}" not in text
    rows = pq.read_table(io.BytesIO(ask(app, "/product/product.parquet").body)).to_pylist()
    assert HOSTILE in {row["tenant_id"] for row in rows}


def test_a_new_state_is_seen_and_a_moved_amount_says_restated(
    history: History, opened: Books
) -> None:
    app = dashboard(opened)
    before = ask(app, "/overview").text
    assert 'class="status provisional"' in before
    history.closed()
    history.record()
    closed = ask(app, "/overview").text  # a charge of November, recorded on this day, stays open
    assert 'class="status partly-provisional"' in closed
    history.restated_bill()
    history.record()
    after = ask(app, "/overview").text
    assert 'class="status restated"' in after
    assert "summed from the ledger just now" in after, "no roll-up was kept"


def test_a_file_that_was_changed_is_named_and_no_figure_is_shown(
    history: History, tmp_path: Path
) -> None:
    import shutil

    folder = shutil.copytree(history.folder, tmp_path / "copy")
    for file in (folder / "lake").rglob("ledger/charge_date=*/*.parquet"):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    books = Books(load_deployment(folder / "attribution.yaml"))
    answer = ask(dashboard(books), "/overview")
    books.close()
    assert answer.status == 500
    assert "a recorded file was changed" in answer.text
    assert "restore it from a copy" in answer.text
