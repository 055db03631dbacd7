"""Alerts: who is told what, once; what was not taken waits; nothing secret leaves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.config_alerts import Channel
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.orchestration.alerting import message
from attribution_pipeline.orchestration.alerting.decide import decide
from attribution_pipeline.orchestration.alerting.deliver import (
    BACKOFF,
    GIVEN_UP_AFTER,
    apprise_send,
    deliver,
)
from attribution_pipeline.orchestration.alerting.found import RUN, Finding
from attribution_pipeline.orchestration.alerting.state import FILE, ChannelState, load, save
from attribution_pipeline_tests.orchestration.receivers import Received, listening, mailbox

NOW = datetime(2026, 10, 8, 9, tzinfo=UTC)
BASE = "https://dagster.example.com"
CHANNEL = Channel(name="ops", url_env="OPS_URL")
ERRORS = Channel(name="pager", url_env="PAGER_URL", severities=["error"])


def finding(day: str = "2026-10-05", **more: Any) -> Finding:
    said: dict[str, Any] = {
        "asset": "attribution_ledger", "name": "telemetry_coverage", "partition": day,
        "passed": False, "severity": "warning", "description": "1 of 3 slices is outside.",
        "run_id": "r-1", **more,
    }  # fmt: skip
    return Finding(**said)


def run(name: str, day: str = "", **more: Any) -> Finding:
    said = {"asset": RUN, "severity": "error", "description": "there is no ./billing", **more}
    return finding(day, name=name, **said)


PASSED = {"passed": True, "description": "All is well."}


class World:
    """A channel, its state, and what was sent, without a network."""

    def __init__(self, channel: Channel = CHANNEL) -> None:
        self.channel, self.state, self.now = channel, ChannelState(), NOW
        self.sent: list[str] = []
        self.error = ""

    def tick(self, *findings: Finding, minutes: float = 1) -> list[str]:
        """One look; the titles that went."""
        self.now += timedelta(minutes=minutes)
        decide(self.channel, self.state, findings, self.now, BASE)
        before = len(self.sent)
        deliver([self.channel], {self.channel.name: self.state}, self.now, lambda: None, self.send)
        return self.sent[before:]

    def send(self, url: str, title: str, body: str, severity: str) -> str:
        if not self.error:
            self.sent.append(f"{title} {body.splitlines()[0]}")
        return self.error


@pytest.fixture(autouse=True)
def urls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPS_URL", "PAGER_URL"):
        monkeypatch.setenv(name, "json://127.0.0.1:9/hook/s3cret-token")


# -- who is told -------------------------------------------------------------------------------------


def test_a_failing_check_is_told_once_and_its_end_once() -> None:
    world = World()
    told = "[warning] telemetry_coverage of attribution_ledger 1 day: 2026-10-05"
    assert world.tick(finding()) == [told]
    assert world.tick(finding()) == []
    assert world.tick(finding(**PASSED)) == [told.replace("warning", "resolved")]
    assert world.tick(finding(**PASSED)) == []
    assert world.tick(finding()) == [told]


def test_other_content_is_told_and_the_same_again_after_the_window() -> None:
    world = World()
    world.tick(finding())
    assert len(world.tick(finding(description="2 of 3 slices are outside."))) == 1
    hours = 60.0
    assert world.tick(finding(description="2 of 3 slices are outside."), minutes=23 * hours) == []
    assert (
        len(world.tick(finding(description="2 of 3 slices are outside."), minutes=2 * hours)) == 1
    )


def test_days_that_fail_alike_are_one_message_and_each_is_known_by_itself() -> None:
    world = World()
    days = [f"2026-10-{number:02d}" for number in (5, 6, 7, 9)]
    (told,) = world.tick(*(finding(day) for day in days))
    assert "4 days: [2026-10-05...2026-10-07], 2026-10-09" in told
    assert world.tick(finding(days[0])) == []
    (over,) = world.tick(finding(days[0], **PASSED))
    assert over.startswith("[resolved]")
    assert "1 day: 2026-10-05" in over
    assert len(world.state.told) == 3


def test_a_channel_hears_of_its_severities_alone() -> None:
    world = World(ERRORS)
    assert world.tick(finding()) == []
    assert world.tick(finding(severity="error"))[0].startswith("[error]")
    (over,) = world.tick(finding())  # still a warning, which is not for this channel
    assert over.startswith("[resolved]")


def test_what_was_never_told_is_not_resolved() -> None:
    world = World()
    world.error = "the receiver did not take it"
    world.tick(finding())
    world.error = ""
    assert world.tick(finding(**PASSED), minutes=60) == []
    assert world.state.waiting == []


def test_what_fails_again_before_its_end_was_told_needs_no_message() -> None:
    world = World()
    world.tick(finding())
    world.error = "the receiver did not take it"
    world.tick(finding(**PASSED))
    world.error = ""
    assert world.tick(finding(), minutes=60) == []


def test_a_failed_run_is_an_error_with_a_link_to_it() -> None:
    world = World(ERRORS)
    (told,) = world.tick(run("landing"))
    assert told == "[error] landing run failed there is no ./billing"
    assert message.body([run("landing")], BASE).endswith(f"{BASE}/runs/r-1")
    assert world.tick(run("landing", **PASSED)) == [
        "[resolved] landing run failed It passes again."
    ]


# -- what it says ------------------------------------------------------------------------------------


def test_a_message_has_the_sentence_the_remedy_and_the_link() -> None:
    said = message.body([finding()], BASE)
    assert said.splitlines()[::2] == [
        "1 day: 2026-10-05",
        "1 of 3 slices is outside.",
        f"What to do: {message.remedy(finding())}",
        f"{BASE}/assets/attribution_ledger?view=checks&checkDetail=telemetry_coverage",
    ]
    assert "find the emitter that does not report" in said
    assert "http" not in message.body([finding()], None)


def test_names_from_outside_ring_nobody_and_are_no_markup() -> None:
    said = message.safe("tenant <!channel> @everyone \x1b[31m <http://evil|here> a@example.com")
    assert "<" not in said
    assert "@everyone" not in said
    assert "\x1b" not in said
    assert "a@example.com" in said


def test_a_long_sentence_is_cut() -> None:
    said = message.body([finding(description="x" * 5000)], None)
    assert len(said) < message.MOST_LETTERS + 600


# -- what is kept ------------------------------------------------------------------------------------


def test_a_restart_tells_nothing_twice_and_forgets_nothing_that_waits(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    world = World()
    world.tick(finding())
    world.error = "the receiver did not take it"
    world.tick(finding("2026-10-06"))
    save(store, {"ops": world.state})
    again = World()
    again.state, again.now = load(store)["ops"], world.now
    assert again.tick(finding(), finding("2026-10-06"), minutes=0.5) == []
    assert len(again.tick(minutes=60)) == 1, "what waited goes when it is due"
    assert again.tick(finding(), finding("2026-10-06")) == []


def test_a_lost_or_damaged_state_tells_again_and_nothing_worse(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert load(store) == {}
    save(store, {"ops": ChannelState(given_up=2)})
    assert load(store)["ops"].given_up == 2
    store.replace(FILE, b'{"schema": 1, "channels": {"ops"')
    assert load(store) == {}


# -- sending -----------------------------------------------------------------------------------------


def test_what_is_not_taken_is_tried_again_later_each_time_and_given_up_after_a_day() -> None:
    world = World()
    world.error = "the receiver answered 503"
    world.tick(finding())
    (waiting,) = world.state.waiting
    assert (waiting.tries, waiting.error, waiting.next_at) == (
        1,
        world.error,
        world.now + BACKOFF[0],
    )
    world.tick(minutes=0.5)
    assert waiting.tries == 1, "not due"
    world.tick(minutes=1)
    assert (waiting.tries, waiting.next_at) == (2, world.now + BACKOFF[1])
    world.tick(minutes=GIVEN_UP_AFTER.total_seconds() / 60)
    assert (world.state.waiting, world.state.given_up) == ([], 1)
    world.error = ""
    assert len(world.tick(finding())) == 1, "it still fails, so it is told anew"


def test_a_variable_that_is_not_set_is_named_and_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPS_URL")
    world = World()
    world.tick(finding())
    assert world.state.last_error == "the environment variable OPS_URL is not set"
    assert len(world.state.waiting) == 1


@pytest.fixture
def hook() -> Iterator[Received]:
    with listening() as received:
        yield received


def test_a_real_listener_takes_title_body_and_kind(hook: Received) -> None:
    body = message.body([finding()], BASE)
    assert apprise_send(hook.url, message.title(finding()), body, "error") == ""
    (got,) = hook.bodies
    assert (got["title"], got["message"], got["type"]) == (
        "[warning] telemetry_coverage of attribution_ledger", body, "failure",
    )  # fmt: skip


def test_a_receiver_that_refuses_is_told_by_its_number_and_never_by_its_url(
    hook: Received, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    hook.answers = 503
    assert apprise_send(hook.url, "t", "b", "warning") == "the receiver answered 503"
    gone = "json://127.0.0.1:1/hook/s3cret-token"
    errors = [apprise_send(url, "t", "b", "error") for url in (gone, "slack://s3cret-token", "x")]
    assert errors[0] == "the receiver did not take it"
    assert errors[2] == "its URL is none that Apprise knows"
    told = "".join([*errors, caplog.text, *capfd.readouterr()])
    assert "s3cret" not in told


def test_a_real_mail_server_takes_the_same_message() -> None:
    with mailbox() as (url, taken):
        assert apprise_send(url, message.title(finding()), "what to do\n\nlink", "warning") == ""
    (mail,) = taken
    assert mail["to"] == "oncall@example.com"
    assert "telemetry_coverage of attribution_ledger" in mail["subject"]
    assert "what to do" in mail.get_body(("plain", "html")).get_content()
