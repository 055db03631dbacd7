"""Keys that cannot be are refused, and key files say so with line and remedy."""

from __future__ import annotations

import json
import os
import stat
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.envelope import EnvelopeError, Key, KeyFileError, KeyRing
from attribution_pipeline.envelope.keygen import add_to_file, new_key
from attribution_pipeline_tests.envelope.envelopes import ED25519, HMAC

SECRET = b64encode(bytes(range(200, 232))).decode()
PUBLIC = b64encode(ED25519.public or b"").decode()

WHOLE = f"""\
# a comment
keys:
  - key_id: gw-2026a
    algorithm: hmac-sha256
    secret: {SECRET}
    tenants: ["*"]
    not_before: 2026-01-01T00:00:00Z
    not_after: 2026-07-01T02:00:00+02:00
    revoked_from: "2026-06-01T00:00:00Z"
  - {{key_id: partner-1, algorithm: ed25519, public: "{PUBLIC}", tenants: [acme-*, globex]}}
"""


def refused(text: str | bytes, tmp_path: Path, name: str = "keys.yaml") -> str:
    """The message of a refused key file, with its folder taken out."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(KeyFileError) as error:
        KeyRing.load(path)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None  # parsers remember the text
    return str(error.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"secret": bytes(31)}, "the secret must have 32 to 1024 bytes"),
        ({"secret": bytes(1025)}, "the secret must have 32 to 1024 bytes"),
        ({"secret": "x" * 32}, "no such part"),
        ({}, "hmac-sha256 has a `secret`"),
        ({"secret": bytes(32), "public": bytes(32)}, "neither `private` nor `public`"),
        ({"secret": bytes(32), "algorithm": "none"}, "the algorithm must be one of"),
        ({"secret": bytes(32), "algorithm": "HS256"}, "the algorithm must be one of"),
        ({"secret": bytes(32), "algorithm": "ed25519"}, "ed25519 has no `secret`"),
        ({"algorithm": "ed25519"}, "a `private` or a `public` part of 32 bytes"),
        ({"algorithm": "ed25519", "public": bytes(31)}, "part of 32 bytes"),
        ({"algorithm": "ed25519", "private": bytes(33)}, "`private` must have 32 bytes"),
        ({"algorithm": "ed25519", "private": bytes(32), "public": bytes(32)}, "does not belong"),
        ({"secret": bytes(32), "key_id": "a b"}, "a key id is no identifier"),
        ({"secret": bytes(32), "key_id": ""}, "a key id is no identifier"),
        ({"secret": bytes(32), "tenants": ()}, "`tenants` must name"),
        ({"secret": bytes(32), "tenants": ("",)}, "`tenants` must name"),
        ({"secret": bytes(32), "not_before": 1.5}, "`not_before` is no time"),
        ({"secret": bytes(32), "revoked_from": True}, "`revoked_from` is no time"),
        ({"secret": bytes(32), "not_before": 2, "not_after": 1}, "`not_after` is before"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_is_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(EnvelopeError, match=what):
        Key(**{"key_id": "k", "algorithm": "hmac-sha256", **given})


def test_a_key_file_gives_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(WHOLE)
    first, second = KeyRing.load(path)
    assert (first.key_id, first.algorithm, first.tenants) == ("gw-2026a", "hmac-sha256", ("*",))
    assert (first.not_before, first.not_after) == (1_767_225_600, 1_782_864_000)
    assert first.revoked_from == 1_780_272_000
    assert (second.key_id, second.public) == ("partner-1", ED25519.public)
    assert second.tenants == ("acme-*", "globex")
    assert not second.can_sign


def test_json_and_a_variable_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys.yaml").write_text(WHOLE)
    ring = KeyRing.load(tmp_path / "keys.yaml")
    import yaml

    listed = yaml.load(WHOLE, Loader=yaml.BaseLoader)
    (tmp_path / "keys.json").write_text(json.dumps(listed))
    assert KeyRing.load(tmp_path / "keys.json").fingerprint() == ring.fingerprint()
    for text in (WHOLE, json.dumps(listed)):
        monkeypatch.setenv("KEYS", text)
        assert KeyRing.from_environment("KEYS").fingerprint() == ring.fingerprint()


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_base64_of_either_alphabet_is_read(tmp_path: Path, encode: Any) -> None:
    raw = b"\xfb\xef\xff" * 11
    for text in (encode(raw).decode(), encode(raw).decode().rstrip("=")):
        path = tmp_path / "k.yaml"
        path.write_text(f'keys:\n- {{key_id: k, algorithm: hmac-sha256, secret: "{text}"}}\n')
        expected = Key(key_id="k", algorithm="hmac-sha256", secret=raw)
        assert KeyRing.load(path).fingerprint() == KeyRing([expected]).fingerprint()


KEYGEN = "`attribution envelope keygen`"
FORM = "a key file is `keys:` with a list of entries; `attribution envelope keygen` writes one"
MISTAKES = [
    (SECRET, "x", "keys.yaml:5: `secret` must be base64; make one with"),
    (SECRET, "not/base=64!", "keys.yaml:5: `secret` must be base64; make one with"),
    (SECRET, "c2hvcnQ=", f"keys.yaml:3: the secret must have 32 to 1024 bytes; {KEYGEN}"),
    (SECRET, "", "keys.yaml:5: `secret` must be text; quote it"),
    (SECRET, f"[{SECRET}]", "keys.yaml:5: `secret` must be text; quote it"),
    ("    secret", "    sekret", "keys.yaml:5: a key has no such field: `sekret`; known are key_id"),
    (f"secret: {SECRET}", f"{SECRET}: secret", "keys.yaml:5: a key has no such field: one; known"),
    (f"    secret: {SECRET}\n", "", "keys.yaml:3: hmac-sha256 has a `secret`"),
    ("    secret", f"    secret: {SECRET}\n    secret", "keys.yaml:6: `secret` is there twice"),
    ("hmac-sha256", "hs256", "keys.yaml:3: the algorithm must be one of hmac-sha256, ed25519"),
    ("key_id: gw-2026a", "key_id: gw 2026a", "keys.yaml:3: a key id is no identifier"),
    ("key_id: gw-2026a\n    ", "", "keys.yaml:3: a key has no `key_id`; add it"),
    ("key_id: partner-1", "key_id: gw-2026a", "keys.yaml:10: key gw-2026a is there twice (first at"),
    ('["*"]', '"*"', 'keys.yaml:6: `tenants` must be a list of texts; for all: ["*"]'),
    ('["*"]', "[]", "keys.yaml:6: `tenants` must be a list of texts"),
    ('["*"]', "[[a]]", "keys.yaml:6: `tenants` must be a list of texts"),
    ("2026-01-01T00:00:00Z", "2026-01-01", "keys.yaml:7: `not_before` is no time; write it as"),
    ("2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "keys.yaml:7: `not_before` is no time"),
    ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "keys.yaml:7: `not_before` is no time"),
    ("2026-01-01T00:00:00Z", "1767225600", "keys.yaml:7: `not_before` is no time"),
    ("2026-07-01T02", "2025-07-01T02", "keys.yaml:3: `not_after` is before `not_before`"),
    (PUBLIC, "AAAA", "keys.yaml:10: ed25519 has a `private` or a `public` part of 32 bytes"),
    ("keys:", "kees:", f"keys.yaml:1: holds no list `keys` alone; {FORM}"),
    ("keys:", "more: 1\nkeys:", f"keys.yaml:1: holds no list `keys` alone; {FORM}"),
    (WHOLE[WHOLE.index("keys:"):], "keys: one", "keys.yaml:2: `keys` is no list"),
    (WHOLE[WHOLE.index("keys:"):], "keys:\n- one", "keys.yaml:3: an entry has no fields"),
    ("    secret", "   secret", "keys.yaml:5: is not valid YAML; check indentation, quotes"),
    ("    secret: ", "    secret: *", "keys.yaml:5: is not valid YAML"),
    ("    secret: ", "    secret: %", "keys.yaml:5: is not valid YAML"),
    ("    secret: ", "    secret: \x01", "keys.yaml:1: is not valid YAML"),
    ("# a comment", "[" * 1200, "keys.yaml:1: is not valid YAML"),
    ("# a comment", "keys: []\n---", "keys.yaml:2: is not valid YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "line"), MISTAKES, ids=lambda one: ascii(one)[:30])
def test_a_mistake_is_named_with_line_and_remedy_and_never_the_secret(
    tmp_path: Path, good: str, bad: str, line: str
) -> None:
    assert good in WHOLE
    said = refused(WHOLE.replace(good, bad, 1), tmp_path)
    assert said.startswith(line)
    for text in (SECRET, PUBLIC, "not/base=64!", "c2hvcnQ="):
        assert text not in said
    assert "; " in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "keys.json: is empty, or not UTF-8 text"),
        (b"\xff\xfe{", "keys.json: is empty, or not UTF-8 text"),
        (b" " * 1_048_577, "keys.json: is larger than 1,048,576 bytes"),
        ('{"keys": [\n{"key_id": "a",}]}', "keys.json:2: is not valid JSON; check quotes"),
        ("[" * 100_000, "keys.json:1: is not valid JSON"),
        ("[]", "keys.json: holds no list `keys`"),
        ('{"keys": {}}', "keys.json: holds no list `keys`"),
        ('{"keys": [], "keys": []}', "keys.json: holds no list `keys`"),
        ('{"keys": [1]}', "keys.json: keys[0]: an entry is no object"),
        ('{"keys": [{"key_id": "a", "key_id": "b"}]}', "keys.json: keys[0]: `key_id` is there twice"),
        ('{"keys": [{"key_id": 7}]}', "keys.json: keys[0]: `key_id` must be text"),
        ('{"keys": [{"secret": 7}]}', "keys.json: keys[0]: `secret` must be text"),
    ],
    ids=lambda one: ascii(one)[:30],
)  # fmt: skip
def test_json_is_as_strict(tmp_path: Path, text: str | bytes, line: str) -> None:
    assert refused(text, tmp_path, "keys.json").startswith(line)


def test_a_file_that_is_not_there_or_no_file_says_so(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(KeyFileError, match=f"cannot be read .{why}"):
            KeyRing.load(path)


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_an_empty_variable_says_so(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    monkeypatch.delenv("KEYS", raising=False)
    if text is not None:
        monkeypatch.setenv("KEYS", text)
    with pytest.raises(KeyFileError, match=r"^\$KEYS: is not set, or empty; give it the text"):
        KeyRing.from_environment("KEYS")


@pytest.mark.parametrize("name", ["keys.yaml", "keys.json"])
def test_new_keys_are_added_and_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    made = [
        new_key("a", "hmac-sha256", not_before=1_790_000_000),
        new_key("b", "ed25519", tenants=["acme*", "globex"], not_after=1_800_000_000),
        new_key("c", "ed25519").public_part(),
    ]
    for key in made:
        add_to_file(path, key)
    assert KeyRing.load(path).fingerprint() == KeyRing(made).fingerprint()
    assert [one.can_sign for one in KeyRing.load(path)] == [True, True, False]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [name]  # nothing is left beside it


def test_a_link_to_a_key_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(WHOLE)
    (tmp_path / "keys.yaml").symlink_to("real.yaml")
    add_to_file(tmp_path / "keys.yaml", new_key("new", "hmac-sha256"))
    assert (tmp_path / "keys.yaml").is_symlink()
    assert len(KeyRing.load(tmp_path / "real.yaml")) == 3


def test_adding_keeps_what_people_wrote(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(WHOLE)
    add_to_file(path, new_key("new", "hmac-sha256"))
    assert path.read_text().startswith(WHOLE)
    assert [one.key_id for one in KeyRing.load(path)] == ["gw-2026a", "partner-1", "new"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (WHOLE, "knows a key gw-2026a already"),
        (f'keys: [{{key_id: z, algorithm: ed25519, public: "{PUBLIC}"}}]\n', "none can be added"),
        ("keys: 1\n", "`keys` is no list"),
    ],
    ids=["twice", "flow", "broken"],
)  # fmt: skip
def test_a_file_to_which_no_key_can_be_added_stays_as_it_is(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(KeyFileError, match=why):
        add_to_file(path, HMAC)
    assert path.read_text() == text
    assert os.listdir(tmp_path) == ["keys.yaml"]
