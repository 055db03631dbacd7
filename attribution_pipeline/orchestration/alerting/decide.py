"""Who is told what: new findings, those that changed, those that were told long ago, those resolved.

Belongs here: the rule. Does not: reading findings (``found``), words (``message``), sending
(``deliver``). Pure: it changes the state that it is given and nothing else.

The same check, partition and content is told once in ``repeat_after``. What a channel was told and is no
longer so, it is told once. What never left is dropped when it is no longer so: nobody has to be told
that a thing is over of which they never heard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attribution_pipeline.orchestration.alerting import message
from attribution_pipeline.orchestration.alerting.found import Finding
from attribution_pipeline.orchestration.alerting.state import ChannelState, Message

if TYPE_CHECKING:
    from attribution_pipeline.config_alerts import Channel


def decide(
    channel: Channel,
    state: ChannelState,
    findings: Iterable[Finding],
    now: datetime,
    base_url: str | None,
) -> None:
    """Put into ``state.waiting`` what the channel is to be told. Findings that are alike but for
    their day are one message."""
    alerts: dict[tuple[str, ...], list[Finding]] = {}
    resolved: dict[tuple[str, ...], list[Finding]] = {}
    for found in findings:
        told = state.told.get(found.key)
        queued = _queued(state, found.key)
        if not found.passed and found.severity in channel.severities:
            content = digest(found)
            fresh = told is not None and now - told.sent_at < channel.repeat_after
            if told is not None and told.digest == content and fresh:
                _drop(state, found.key)  # what waits says that it is over, or something older
            elif queued != content:
                _drop(state, found.key)
                alerts.setdefault((found.asset, found.name, found.severity), []).append(found)
        elif told is not None:
            if queued != "":
                _drop(state, found.key)
                resolved.setdefault((found.asset, found.name), []).append(found)
        else:
            _drop(state, found.key)
    state.waiting += [_alert(alike, now, base_url) for alike in alerts.values()]
    state.waiting += [_resolved(alike, now, base_url) for alike in resolved.values()]


def digest(found: Finding) -> str:
    """Of what is said of a finding."""
    return hashlib.sha256(f"{found.severity}\0{found.description}".encode()).hexdigest()[:16]


def _alert(alike: Sequence[Finding], now: datetime, base_url: str | None) -> Message:
    return Message(
        message.title(alike[0]), message.body(alike, base_url), alike[0].severity,
        {found.key: digest(found) for found in alike}, now,
    )  # fmt: skip


def _resolved(alike: Sequence[Finding], now: datetime, base_url: str | None) -> Message:
    return Message(
        message.title(alike[0], resolved=True), message.body(alike, base_url, resolved=True),
        message.RESOLVED, {found.key: "" for found in alike}, now,
    )  # fmt: skip


def _queued(state: ChannelState, key: str) -> str | None:
    """What waits of a finding: its digest, nothing where it resolves, None where nothing waits."""
    return next((one.keys[key] for one in reversed(state.waiting) if key in one.keys), None)


def _drop(state: ChannelState, key: str) -> None:
    """Take a finding out of what waits; a message of nothing goes."""
    for waiting in state.waiting:
        waiting.keys.pop(key, None)
    state.waiting = [waiting for waiting in state.waiting if waiting.keys]
