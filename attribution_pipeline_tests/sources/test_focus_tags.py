"""Tags: equal sets are equal text, and nothing of them is lost without a trace."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from attribution_pipeline.sources.focus.tags import canonical
from attribution_pipeline_tests.sources.focus_bills import (
    csv_bytes,
    land,
    land_row,
    parquet_rows,
    row,
)


def test_keys_are_stripped_and_sorted() -> None:
    assert canonical('{"b": "2", " a ": "1"}') == ('{"a":"1","b":"2"}', None)


def test_equal_tag_sets_are_equal_text_whatever_their_order_and_blanks() -> None:
    assert canonical('{"a":"1","b":"2"}') == canonical(' { "b" : "2" , "a" : "1" } ')


def test_of_two_keys_that_are_one_the_plain_one_stands_in_any_order() -> None:
    one, other = '{"org": "x", " org": "y"}', '{" org": "y", "org": "x"}'
    assert canonical(one).text == canonical(other).text == '{"org":"x"}'
    assert canonical(one).as_written == one


def test_two_keys_that_are_one_and_say_the_same_lose_nothing() -> None:
    assert canonical('{"org": "trey", " org": "trey"}') == ('{"org":"trey"}', None)


def test_of_two_padded_keys_the_smaller_stands() -> None:
    assert canonical('{" org": "2", "org ": "1"}').text == '{"org":"2"}'


def test_scalars_stay_what_they_are_and_numbers_keep_their_digits() -> None:
    text = '{"a":1.10,"b":true,"c":null,"d":12345678901234567890,"e":"ü"}'
    assert canonical(text) == (text, None)


def test_a_nested_value_becomes_its_text_and_the_raw_tags_are_kept() -> None:
    raw = '{"a": {"y": 1, "x": 2}}'
    tags = canonical(raw)
    assert json.loads(tags.text or "") == {"a": '{"x":2,"y":1}'}
    assert tags.as_written == raw


@pytest.mark.parametrize("raw", ["team=a", "[1, 2]", '"text"', "{", '{"a": NaN}', "17"])
def test_text_that_is_no_set_of_tags_is_kept_aside_and_the_money_lands(raw: str) -> None:
    line = land_row(Tags=raw)
    assert line["Tags"] is None
    assert json.loads(line["x_columns"]) == {"x_TagsAsWritten": raw}


def test_older_azure_pairs_without_braces_are_tags() -> None:
    assert canonical('"env": "prod","team": "a"').text == '{"env":"prod","team":"a"}'


def test_a_list_of_key_and_value_is_tags() -> None:
    assert canonical('[{"key": "a", "value": "1"}, {"Key": "b"}]').text == '{"a":"1","b":true}'


def test_a_lone_surrogate_is_escaped_and_lands() -> None:
    assert canonical('{"a": "\\ud800"}').text == '{"a":"\\ud800"}'


def test_no_tags_and_empty_tags_are_told_apart() -> None:
    rows = land(csv_bytes(row(Tags=""), row(Tags="{}"))).rows
    assert [r["Tags"] for r in rows] == [None, "{}"]


def test_a_parquet_map_is_tags() -> None:
    tags = pa.array([[("team", "a"), (" env", "prod")], None], pa.map_(pa.string(), pa.string()))
    rows = land(parquet_rows(row(), row(), Tags=tags)).rows
    assert [r["Tags"] for r in rows] == ['{"env":"prod","team":"a"}', None]


def test_a_parquet_list_of_key_value_structs_is_tags() -> None:
    pairs = [{"key": "team", "value": "a"}, {"key": "app", "value": None}]
    tags = pa.array([pairs])
    assert land(parquet_rows(row(), Tags=tags)).row["Tags"] == '{"app":null,"team":"a"}'


def test_the_wrapped_list_of_older_bigquery_exports_is_tags() -> None:
    wrapped = pa.array([{"list": [{"element": {"key": "team", "value": "a"}}]}])
    assert land(parquet_rows(row(), Tags=wrapped)).row["Tags"] == '{"team":"a"}'


def test_a_parquet_struct_of_tags_keeps_every_field() -> None:
    tags = pa.array([{"team": "a", "env": "prod"}])
    assert land(parquet_rows(row(), Tags=tags)).row["Tags"] == '{"env":"prod","team":"a"}'


def test_allocated_tags_are_read_like_tags() -> None:
    assert land_row(AllocatedTags='{"b":"1"," a":"2"}')["AllocatedTags"] == '{"a":"2","b":"1"}'
