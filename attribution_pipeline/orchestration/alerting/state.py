"""What each channel has been told, and what it is still to be told: one file in the storage.

Belongs here: the file. Does not: what is decided from it (``decide``), sending (``deliver``).

``<storage>/alerts/state.json`` is replaced whole. Where it is lost, what fails is told once more and
nothing else happens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attribution_pipeline.lake.store import Store

FILE = "alerts/state.json"
SCHEMA = 1


@dataclass
class Told:
    """A finding that the channel knows. ``digest``: of its content."""

    digest: str
    severity: str
    sent_at: datetime


@dataclass
class Message:
    """A message on its way. ``keys``: finding -> digest of its content; empty digest: it resolves."""

    title: str
    body: str
    severity: str
    keys: dict[str, str]
    made_at: datetime
    tries: int = 0
    next_at: datetime | None = None
    """Not tried before."""
    error: str = ""


@dataclass
class ChannelState:
    """One channel."""

    told: dict[str, Told] = field(default_factory=dict)
    waiting: list[Message] = field(default_factory=list)
    given_up: int = 0
    """Messages that were never taken."""
    last_error: str = ""


State = dict[str, ChannelState]
"""By channel name."""


def load(store: Store) -> State:
    """As last written; empty where it is not there, or not one that this version reads."""
    try:
        said = json.loads(store.read(FILE))
        if said["schema"] != SCHEMA:
            return {}
        return {name: _channel(found) for name, found in said["channels"].items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def save(store: Store, state: State) -> None:
    """Replace the file."""
    store.replace(FILE, text_of(state).encode())


def text_of(state: State) -> str:
    """As it is kept."""
    said = {"schema": SCHEMA, "channels": {name: asdict(one) for name, one in state.items()}}
    return json.dumps(said, default=_text, sort_keys=True, indent=0)


def _text(value: Any) -> str:
    return str(value.isoformat())


def _channel(found: Mapping[str, Any]) -> ChannelState:
    return ChannelState(
        {
            key: Told(**{**one, "sent_at": _at(one["sent_at"])})
            for key, one in found["told"].items()
        },
        [
            Message(**{**one, "made_at": _at(one["made_at"]), "next_at": _maybe(one["next_at"])})
            for one in found["waiting"]
        ],
        found["given_up"],
        found["last_error"],
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else _at(text)
