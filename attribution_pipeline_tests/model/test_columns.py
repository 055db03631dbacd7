"""Every published column says what it means."""

from __future__ import annotations

import pytest

from attribution_pipeline.lake.shapes import TABLES as PUBLISHED
from attribution_pipeline.lake.shapes import schema_of
from attribution_pipeline.model.columns import TABLES


def test_every_published_table_has_its_page():
    assert set(TABLES) == set(PUBLISHED)


@pytest.mark.parametrize("table", PUBLISHED)
def test_every_column_has_a_meaning_and_every_meaning_a_column(table):
    _, meanings = TABLES[table]
    assert set(meanings) == set(schema_of(table).names)
    assert all(text.endswith((".", "?")) for text in meanings.values())
