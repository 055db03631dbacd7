"""What YAML is accepted, and that everything else is one line with its place."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_pipeline.model import yaml_lines
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.yaml_lines import parse_document, read_document


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers that PyYAML may be built with."""
    if request.param == "python":
        monkeypatch.setattr(yaml_lines, "_LOADER", yaml.SafeLoader)


def test_decimal_is_read_from_its_own_text_and_never_through_a_float() -> None:
    value = parse_document("a: 0.98\nb: 0.1000000000000000055511151231257827", "f").value
    assert value == {"a": Decimal("0.98"), "b": Decimal("0.1000000000000000055511151231257827")}
    assert str(value["a"]) == "0.98"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7), ("-3", -3), ("0", 0), ("1e3", Decimal("1e3")), (".5", Decimal("0.5")),
        ("true", True), ("false", False), ("~", None), ("", None), ("null", None),
        ("2026-10-01", date(2026, 10, 1)),
        # what YAML 1.1 would turn into something else
        ("no", "no"), ("on", "on"), ("0123", "0123"), ("12:30", "12:30"), ("1_000", "1_000"),
        ("0x1f", "0x1f"), (".nan", ".nan"), (".inf", ".inf"),
        ("'7'", "7"), ('"2026-10-01"', "2026-10-01"), ('"true"', "true"),
    ],
)  # fmt: skip
def test_plain_scalar_means_what_an_accountant_reads(text: str, expected: object) -> None:
    value = parse_document(f"key: {text}", "f").value["key"]
    assert value == expected
    assert type(value) is type(expected)


def test_keys_are_always_text() -> None:
    text = "units: {1000 Tokens: 1, 7: 2, true: 3, 2026-10-01: 4}"
    assert list(parse_document(text, "f").value["units"]) == [
        "1000 Tokens", "7", "true", "2026-10-01",
    ]  # fmt: skip


def test_every_key_and_item_knows_its_line() -> None:
    document = parse_document("a:\n  b:\n    - x\n    - {c: 1,\n       d: 2}\n", "file.yaml")
    assert document.where(("a", "b", 1, "d")) == "file.yaml:5"
    assert document.where(("a", "b", 0)) == "file.yaml:3"
    assert document.where(("a", "missing")) == "file.yaml:1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3: key `a` appears twice (first in line 1); keep one of them"),
        ("a: !!python/object/apply:os.system [ls]", "f:1: the tag 'tag:yaml.org,2002:python/"
         "object/apply:os.system' is not allowed; remove the tag; plain values only"),
        ("a: &x {b: 1}\nc: {<<: *x}", "f:2: merge keys (`<<`) are not allowed; write the merged "
         "keys out"),
        ("a: 1\n---\nb: 2", "f:2: a second YAML document starts here; one document per file: "
         "remove `---`"),
        ("a: *nowhere", "f:1: the alias `*nowhere` refers to nothing; quote it: '*nowhere'"),
        ("a: 1\nb: \x01", "f:2: holds a character that YAML does not allow; remove the control "
         "character"),
        ("- a\n- b", "f:1: holds no mapping of keys to values; write `key: value` lines; "
         "`attribution init` shows a whole file"),
        ("# nothing", "f:1: is empty; write `key: value` lines; `attribution init` shows a whole "
         "file"),
        ("a: 2026-02-30", "f:1: 2026-02-30 is no calendar day; write YYYY-MM-DD, or quote it if "
         "it is text"),
        ("a: 1\nb: 1e999999999", "f:2: a number is out of any range; quote it if it is text"),
        ("a: " + "9" * 60, "f:1: a number is out of any range; quote it if it is text"),
        ("!!str a: 1", "f:1: the tag 'tag:yaml.org,2002:str' is not allowed; remove the tag; plain "
         "values only"),
        ("a: &x 1\n*x : 2", "f:2: a key must be one word or text; quote the key if it holds "
         "brackets"),
        ("? [a, b]\n: 1", "f:1: a key must be one word or text; quote the key if it holds "
         "brackets"),
        ("a: &x [*x]", "f:1: an alias refers to the value that holds it; write the value out"),
        ("a: " + "[" * 40 + "]" * 40, "f:1: is nested deeper than 32 levels; flatten it"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("parser")
def test_refused_yaml_is_one_line_with_place_and_remedy(text: str, line: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_document(text, "f")
    assert refused.value.line() == line


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "text", ["a: 1\n b: 2", "a: 1\nb: ]", "a: 1\n@b: 2", "a: 'x\n\n", "a: 1\n\tb"]
)
def test_text_that_is_no_yaml_names_the_line_and_what_to_look_at(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_document(text, "f")
    assert re.fullmatch(
        r"f:[23]: is not valid YAML: .+; check indentation, quotes and brackets at this line",
        refused.value.line(),
    )


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("escaped", ["\\ud83d", "\\ud83d\\ude00"])
def test_escaped_half_of_a_character_is_refused(escaped: str) -> None:
    with pytest.raises(Refusal, match=r"^f:2: .+; "):
        parse_document(f'a: 1\nb: "{escaped}"', "f")


def test_alias_repeats_its_value_and_stands_at_its_own_line() -> None:
    document = parse_document("a: &x {b: [1, 2]}\nc: *x\n", "f")
    assert document.value == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}
    assert document.where(("a", "b", 1)) == "f:1"
    assert document.where(("c", "b", 1)) == "f:2"


def test_aliases_that_multiply_are_refused_before_they_fill_memory() -> None:
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(Refusal, match="holds more than 200,000 values, aliases expanded"):
        parse_document("\n".join(levels), "f")


def test_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(Refusal) as refused:
        read_document(path)
    assert refused.value.line() == f"{path}:2: is not UTF-8 text; save the file as UTF-8"


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_document(path).value == {"a": 1, "b": 2}


def test_missing_file_and_folder_in_its_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="there is no such file; check the path"):
        read_document(tmp_path / "none.yaml")
    with pytest.raises(Refusal, match="cannot be read"):
        read_document(tmp_path)


_YAMLISH = st.text(alphabet="ab:-[]{}&*!#'\"|>%@`?,~<. \n\t01é\x00\x85", max_size=80)


@settings(max_examples=400, deadline=None)
@given(_YAMLISH)
def test_any_text_is_a_mapping_or_a_refusal_of_one_line(text: str) -> None:
    line = ""
    try:
        value = parse_document(text, "f").value
    except Refusal as refused:
        line = refused.line()
    if line:
        assert re.fullmatch(r"f(:\d+)?: [^\n]+; [^\n]+", line), line
    else:
        assert isinstance(value, dict)
