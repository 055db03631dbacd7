"""A canary secret is nowhere: no repr, message, traceback, log, copy, pickle, fingerprint."""

from __future__ import annotations

import copy
import dataclasses
import io
import logging
import pickle
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.envelope import (
    EnvelopeError,
    Key,
    KeyRing,
    assert_envelope,
    issue,
    verify,
)
from attribution_pipeline.envelope.keys import Secret
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.envelope.envelopes import CLAIMS, TOKENS

CANARY = b"canary-canary-canary-canary-0123"
FORMS = [
    CANARY.decode(), CANARY.hex(), b64encode(CANARY).decode(), urlsafe_b64encode(CANARY).decode(),
    repr(CANARY), str(list(CANARY)),
]  # fmt: skip
TEXT = b64encode(CANARY).decode()


def hold_none(text: str) -> None:
    """That no form of the canary, nor a long piece of one, is in ``text``."""
    for form in FORMS:
        assert form not in text
        assert form[4:20] not in text


@pytest.fixture
def keys() -> list[Key]:
    return [
        Key(key_id="h", algorithm="hmac-sha256", secret=CANARY),
        Key(key_id="e", algorithm="ed25519", private=CANARY),
    ]


def test_no_text_form_of_a_key_shows_it(keys: list[Key]) -> None:
    for key in keys:
        ring = KeyRing([key])
        shown = [
            repr(key), str(key), f"{key}", f"{key!r:>200}", repr(ring), str(vars(ring)),
            str(vars(key)), str(dataclasses.asdict(key)), repr(copy.copy(key)),
            repr(copy.deepcopy(key.secret or key.private)), key.fingerprint(), ring.fingerprint(),
            repr(issue(CLAIMS, key)), repr(verify(issue(CLAIMS, key), ring)),
        ]  # fmt: skip
        for text in shown:
            hold_none(text)


def test_neither_a_key_nor_its_secret_is_pickled(keys: list[Key]) -> None:
    for key in keys:
        for thing in (key, KeyRing([key]), key.secret or key.private):
            with pytest.raises(EnvelopeError, match="not pickled"):
                pickle.dumps(thing)


def test_a_secret_tells_nothing_by_itself() -> None:
    secret = Secret(CANARY)
    assert (repr(secret), str(secret), f"{secret}") == ("<secret>",) * 3
    assert secret.reveal() == CANARY
    with pytest.raises(EnvelopeError):
        Secret("text")  # type: ignore[arg-type]


def _broken(entry: str) -> str:
    return f"keys:\n- {{{entry}}}\n"


@pytest.mark.parametrize(
    "text",
    [
        _broken(f"key_id: h, algorithm: hmac-sha256, secret: '{TEXT}!'"),
        _broken(f"key_id: h, algorithm: ed25519, secret: {TEXT}"),
        _broken(f"key_id: h, algorithm: {TEXT}"),
        _broken(f"key_id: h, algorithm: hmac-sha256, private: {TEXT}"),
        _broken(f"key_id: '{TEXT} ', algorithm: hmac-sha256"),
        _broken(f"key_id: h, {TEXT}: secret"),
        _broken(f"key_id: h, algorithm: hmac-sha256, secret: [{TEXT}]"),
        _broken(f"key_id: h, algorithm: hmac-sha256, secret: *{TEXT}"),
        _broken(f"key_id: h, algorithm: hmac-sha256, secret: !{TEXT} x"),
        _broken(f"key_id: h, algorithm: hmac-sha256, secret: '{TEXT}"),
        _broken(f"key_id: h, algorithm: hmac-sha256, secret: \"\\q{TEXT}\""),
        _broken(f"key_id: h, algorithm: hmac-sha256, secret: '{TEXT}', not_before: {TEXT}"),
        _broken(f"key_id: h, algorithm: hmac-sha256, secret: '{TEXT}', tenants: {TEXT}"),
        TEXT, f"- {TEXT}", f"{TEXT}: 1", f"keys: {TEXT}", f"keys: [{TEXT}]", f"keys:\n\t{TEXT}",
        f'{{"keys": [{{"secret": "{TEXT}", }}]}}', f'{{"keys": "{TEXT}"}}', f'{{"{TEXT}',
        f'{{"keys": [{{"key_id": "{TEXT}=", "algorithm": "x", "secret": "{TEXT}"}}]}}',
    ],
    ids=range(23),
)  # fmt: skip
def test_no_broken_key_file_is_quoted_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """By file, by variable and by deployment: message, arguments, context and log."""
    suffix = "json" if text.startswith("{") else "yaml"
    (tmp_path / f"keys.{suffix}").write_text(text)
    monkeypatch.setenv("CANARY_KEYS", text)
    whole = "storage: ./lake\nfirst_day: 2026-10-01\npolicies: ./p\nsources: {}\n"
    (tmp_path / "a.yaml").write_text(whole + f"keys: ./keys.{suffix}\n")
    (tmp_path / "b.yaml").write_text(whole + "keys_env: CANARY_KEYS\n")
    ways: list[Callable[[], Any]] = [
        lambda: KeyRing.load(tmp_path / f"keys.{suffix}"),
        lambda: KeyRing.from_environment("CANARY_KEYS"),
        lambda: load_deployment(tmp_path / "a.yaml").key_ring(),
        lambda: load_deployment(tmp_path / "b.yaml").key_ring(),
    ]
    for way in ways:
        with caplog.at_level(logging.DEBUG), pytest.raises((EnvelopeError, Refusal)) as refused:
            way()
        error: BaseException | None = refused.value
        while error is not None:  # what a handler of errors would send away, locals aside
            hold_none("".join(traceback.format_exception_only(error)))
            hold_none(str(error.args) + str(vars(error)))
            error = error.__context__
    hold_none(caplog.text)


def test_no_refused_call_shows_key_or_token(keys: list[Key]) -> None:
    token = TOKENS["gw-2026a"]
    calls: list[Callable[[], Any]] = [
        lambda: Key(key_id="h", algorithm="hmac-sha256", secret=CANARY[:31]),
        lambda: Key(key_id="h", algorithm="ed25519", private=CANARY, public=CANARY),
        lambda: Key(key_id=CANARY.decode() + " ", algorithm="hmac-sha256", secret=CANARY),
        lambda: assert_envelope(token, KeyRing(keys), audience="prod", tenant_id="acme"),
        lambda: issue(CLAIMS, dataclasses.replace(keys[0], revoked_from=1)),
    ]
    for call in calls:
        with pytest.raises(EnvelopeError) as refused:
            call()
        said = "".join(traceback.format_exception(refused.value))
        hold_none(said)
        assert token not in said


def test_nothing_is_logged_on_the_way(keys: list[Key]) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        for key in keys:
            token = issue(CLAIMS, key)
            verify(token, KeyRing(keys))
            verify(token + "x", KeyRing(keys))
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    assert written.getvalue() == ""
