"""Sending what waits, through Apprise: one library for chats, pagers, phones and mail.

Belongs here: one try a message, when the next is due, when it is given up. Does not: what is sent
(``decide``). Nothing here raises: an alert that cannot be sent fails no run and no tick.

No error tells anything of a URL: it is the secret. What a receiver answered is a number.
"""

from __future__ import annotations

import io
import logging
import os
import re
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from attribution_pipeline.orchestration.alerting.message import RESOLVED
from attribution_pipeline.orchestration.alerting.state import ChannelState, Message, State, Told

if TYPE_CHECKING:
    from attribution_pipeline.config_alerts import Channel

BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""After the first, second, third and every further failure."""

GIVEN_UP_AFTER = timedelta(hours=24)
"""What is older is not news. The next evaluation of a check that still fails tells it anew."""

MOST_A_TICK = 10
"""Messages of one tick: a sensor has a minute, and a receiver that hangs takes eight seconds of it."""

_ANSWERED = re.compile(r"error[=: ]+(\d{3})\b")

Send = Callable[[str, str, str, str], str]
"""Sends (url, title, body, severity); why not in words, nothing where it went."""


def deliver(
    channels: Sequence[Channel],
    state: State,
    now: datetime,
    keep: Callable[[], None],
    send: Send | None = None,
) -> int:
    """Try what is due, oldest first, and ``keep`` the state after each. Returns how many went."""
    sent = tries = 0
    for channel in channels:
        found = state.setdefault(channel.name, ChannelState())
        _give_up(found, now)
        for message in list(found.waiting):
            if tries >= MOST_A_TICK or (message.next_at is not None and now < message.next_at):
                continue
            tries += 1
            error = _try(channel, message, send or apprise_send)
            if error:
                _failed(found, message, error, now)
            else:
                _went(found, message, now)
                sent += 1
            keep()
    return sent


def _try(channel: Channel, message: Message, send: Send) -> str:
    url = os.environ.get(channel.url_env, "").strip()
    if not url:
        return f"the environment variable {channel.url_env} is not set"
    return send(url, message.title, message.body, message.severity)


def apprise_send(url: str, title: str, body: str, severity: str) -> str:
    """One message through Apprise, now."""
    with warnings.catch_warnings():
        # Apprise asks for a module that Python 3.13 no longer has, and brings its own there
        warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
        return _send(url, title, body, severity)


def _send(url: str, title: str, body: str, severity: str) -> str:
    import apprise

    types = {"error": apprise.NotifyType.FAILURE, RESOLVED: apprise.NotifyType.SUCCESS}
    # nothing of a message is kept on disk, and none waits in a thread when the process ends
    asset = apprise.AppriseAsset(
        app_id="attribution", app_desc="attribution pipeline", async_mode=False,
        secure_logging=True, storage_mode=apprise.PersistentStoreMode.MEMORY,
    )  # fmt: skip
    receiver = apprise.Apprise(asset=asset)
    # Apprise's own lines may hold parts of the URL: they are read for a number, and thrown away
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logger = logging.getLogger("apprise")
    kept = logger.propagate, logger.level
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        if not receiver.add(url):
            return "its URL is none that Apprise knows"
        went = receiver.notify(
            title=title, body=body, notify_type=types.get(severity, apprise.NotifyType.WARNING),
            body_format=apprise.NotifyFormat.TEXT,
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - a plugin's defect must not stop the others
        return f"sending raised {type(error).__name__}"
    finally:
        logger.removeHandler(handler)
        logger.propagate, level = kept
        logger.setLevel(level)
    if went:
        return ""
    answered = _ANSWERED.search(said.getvalue())
    return f"the receiver answered {answered[1]}" if answered else "the receiver did not take it"


def _went(found: ChannelState, message: Message, now: datetime) -> None:
    found.waiting.remove(message)
    found.last_error = ""
    for key, content in message.keys.items():
        if message.severity == RESOLVED:
            found.told.pop(key, None)
        else:
            found.told[key] = Told(content, message.severity, now)


def _failed(found: ChannelState, message: Message, error: str, now: datetime) -> None:
    message.error = found.last_error = error
    message.next_at = now + BACKOFF[min(message.tries, len(BACKOFF) - 1)]
    message.tries += 1


def _give_up(found: ChannelState, now: datetime) -> None:
    old = [one for one in found.waiting if one.tries and now - one.made_at > GIVEN_UP_AFTER]
    for message in old:
        found.waiting.remove(message)
        found.given_up += 1
