"""Live sources into folders: what is due is asked for once, kept as it came, and landed as ever."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.sources.objects import list_objects
from attribution_pipeline.sources.pull import opencost, vendor_costs
from attribution_pipeline.sources.pull.limits import PullLimits
from attribution_pipeline.sources.pull.place import FolderPlace
from attribution_pipeline.sources.pull.run import Pull, PullReport, pull_all
from attribution_pipeline_tests.sources import api_servers
from attribution_pipeline_tests.sources.api_servers import Asked, Reply, Server, serving
from attribution_pipeline_tests.sources.landings import standing

NOW = datetime(2026, 10, 8, 6, 0, tzinfo=UTC)
FIRST_DAY = date(2026, 10, 5)
CANARY = "sk-admin-canary-9a8b7c"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TEST_ADMIN_KEY", CANARY)
    return "TEST_ADMIN_KEY"


def pull_of(api: str, url: str, folder: Path, **changes: Any) -> Pull:
    given: dict[str, Any] = {
        "name": f"live-{api}", "api": api, "endpoint": url, "into": "main", "uri": folder / api,
        "first_day": FIRST_DAY, "limits": PullLimits(attempts=2),
    }  # fmt: skip
    return Pull(**{**given, **changes})


def run(pull: Pull, now: datetime = NOW, **given: Any) -> PullReport:
    (report,) = pull_all([pull], now, sleep=lambda _: None, **given)
    return report


def files(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


# -- OpenCost ------------------------------------------------------------------------------------


def test_opencost_days_are_asked_for_by_explicit_windows_once(tmp_path: Path) -> None:
    with serving(api_servers.opencost) as server:
        pull = pull_of("opencost", server.url, tmp_path)
        first = run(pull)
        asked = list(server.asked)
        second = run(pull)
    days = ["2026-10-05", "2026-10-06", "2026-10-07"]
    assert files(tmp_path / "opencost") == [
        f"{d}/{q}.json" for d in days for q in ("allocation", "assets")
    ]
    assert [one.one("window") for one in asked if one.path == "/allocation"] == [
        "2026-10-05T00:00:00Z,2026-10-06T00:00:00Z",
        "2026-10-06T00:00:00Z,2026-10-07T00:00:00Z",
        "2026-10-07T00:00:00Z,2026-10-08T00:00:00Z",
    ]
    assert {key: value for key, (value,) in asked[0].query.items() if key != "window"} == {
        "includeIdle": "true", "idleByNode": "true", "shareIdle": "false",
        "includeAggregatedMetadata": "true",
    }  # fmt: skip
    assert (len(first.kept), first.failures) == (6, [])
    assert (second.kept, second.nothing, len(server.asked)) == ([], 3, len(asked))


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2026, 10, 7, 23, 59, 59, tzinfo=UTC), "2026-10-06"),
        (datetime(2026, 10, 8, 0, 0, 0, tzinfo=UTC), "2026-10-06"),
        (datetime(2026, 10, 8, 0, 59, 59, tzinfo=UTC), "2026-10-06"),
        (datetime(2026, 10, 8, 1, 0, 0, tzinfo=UTC), "2026-10-07"),
    ],
)
def test_day_is_due_an_hour_after_its_midnight_and_not_a_second_before(
    now: datetime, last: str
) -> None:
    assert str(opencost.due_days(now, FIRST_DAY)[-1]) == last


def test_day_that_is_not_over_is_refused_though_somebody_asks_for_it(tmp_path: Path) -> None:
    with serving(api_servers.opencost) as server:
        report = run(pull_of("opencost", server.url, tmp_path), days=(NOW.date(), NOW.date()))
    assert report.reasons == ["day_not_over"]
    assert server.asked == []


def test_nothing_is_due_before_the_deployments_first_day() -> None:
    assert opencost.due_days(NOW, date(2026, 10, 8)) == []
    assert vendor_costs.due_periods(NOW, date(2026, 11, 1)) == []


def _opencost(**bodies: bytes) -> Callable[[Asked], Reply]:
    """Another body on some days: ``d05`` is the 5th."""

    def answer(asked: Asked) -> Reply:
        body = bodies.get(f"d{asked.one('window')[8:10]}")
        return api_servers.opencost(asked) if body is None else Reply(body)

    return answer


def test_answer_without_rows_never_stands_for_a_day(tmp_path: Path) -> None:
    """Retention is over for an old day: a note. Of yesterday nothing is there: a failure."""
    empty = b'{"code": 200, "status": "success", "data": [{}]}'
    with serving(_opencost(d05=empty)) as server:
        report = run(pull_of("opencost", server.url, tmp_path / "old"))
    assert (report.failures, len(report.notes), len(report.kept)) == ([], 1, 4)
    with serving(_opencost(d07=empty)) as server:
        report = run(pull_of("opencost", server.url, tmp_path / "new"))
    assert report.reasons == ["no_rows"]
    assert not (tmp_path / "new" / "opencost" / "2026-10-07").exists()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"code":500,"status":"","data":null,"message":"Error: prometheus"}', "error_answer"),
        (b'invalid window{"code":200,"data":[{}]}', "text_before_json"),
        (b'{"code":200,"data":[{"a":{"totalCost":1', "not_json"),
        (b'{"code":200,"data":[' * 2000, "not_json"),
    ],
)
def test_answer_that_is_no_evidence_is_not_kept_and_stops_no_other_day(
    tmp_path: Path, body: bytes, reason: str
) -> None:
    with serving(_opencost(d06=body)) as server:
        report = run(pull_of("opencost", server.url, tmp_path))
    assert report.reasons == [reason]
    assert len(report.kept) == 4
    assert not (tmp_path / "opencost" / "2026-10-06").exists()


def test_answer_of_another_window_is_not_kept(tmp_path: Path) -> None:
    def shifted(asked: Asked) -> Reply:
        window = "2026-10-01T00:00:00Z,2026-10-02T00:00:00Z"
        return api_servers.opencost(Asked(asked.path, {"window": [window]}, {}))

    with serving(shifted) as server:
        report = run(pull_of("opencost", server.url, tmp_path), days=(FIRST_DAY, FIRST_DAY))
    assert report.reasons == ["other_window"]


def test_server_that_is_down_is_not_asked_for_every_day(tmp_path: Path) -> None:
    with serving(lambda _: Reply(status=503)) as server:
        report = run(pull_of("opencost", server.url, tmp_path))
    assert (report.reasons, len(server.asked)) == (["refused_for_now"], 2)


def test_day_that_is_asked_for_again_keeps_the_older_answer_beside(tmp_path: Path) -> None:
    folder = tmp_path / "opencost"
    with serving(api_servers.opencost) as server:
        pull = pull_of("opencost", server.url, tmp_path)
        run(pull, days=(FIRST_DAY, FIRST_DAY))
        stale = (folder / "2026-10-05" / "assets.json").read_bytes()
        (folder / "2026-10-05" / "assets.json").write_bytes(stale + b"\n")
        run(pull, days=(FIRST_DAY, FIRST_DAY), again=True)
    earlier = list((folder / "2026-10-05" / ".earlier").iterdir())
    assert stale + b"\n" in [one.read_bytes() for one in earlier]
    assert (folder / "2026-10-05" / "assets.json").read_bytes() == stale


def test_what_is_pulled_lands_and_replays_from_its_bytes(tmp_path: Path) -> None:
    with serving(api_servers.opencost) as server:
        run(pull_of("opencost", server.url, tmp_path))
    source = Source("opencost", "main", tmp_path / "opencost", cluster="prod")
    found = []
    for lake in ("one", "two"):  # the server is gone: nothing but the kept bytes is read
        store = LandedStore(tmp_path / lake)
        report = land([source], store)
        assert (report.new, report.refused, report.rejected) == (6, 0, {})
        found.append(standing(store, "opencost_allocations", ["pod", "window_start", "cpu_cost"]))
    assert found[0] == found[1]
    assert len(found[0]) == 3


# -- vendors' costs ------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_period_is_one_delivery_of_all_pages_with_its_receipt_last(
    tmp_path: Path, key: str, api: str
) -> None:
    answer = getattr(api_servers, api)
    with serving(lambda asked: answer(asked, page_size=2)) as server:
        report = run(pull_of(api, server.url, tmp_path, key_env=key))
    assert report.failures == []
    run_folder = tmp_path / api / "2026-10" / "20261008T060000Z"
    receipt = json.loads((run_folder / "pull.json").read_bytes())
    assert receipt["window"] == ["2026-10-01T00:00:00+00:00", "2026-10-08T00:00:00+00:00"]
    named = [one["name"] for one in receipt["answers"]]
    assert [one for one in named if one.startswith("costs")] == [
        f"costs-{n:04}.json" for n in (1, 2, 3, 4)
    ]
    assert sorted([*named, "pull.json"]) == files(run_folder)
    kept = b"".join(one.read_bytes() for one in run_folder.iterdir())
    assert CANARY.encode() not in kept
    headers = server.asked[0].headers
    assert CANARY in (headers.get("Authorization", "") + headers.get("x-api-key", ""))


def test_period_is_asked_for_again_when_it_is_old_and_written_when_it_changed(
    tmp_path: Path, key: str
) -> None:
    amount = [0]

    def answer(asked: Asked) -> Reply:
        reply = api_servers.openai(asked)
        reply.body["data"][0]["results"] = reply.body["data"][0]["results"][amount[0] :]
        return reply

    with serving(answer) as server:
        pull = pull_of("openai", server.url, tmp_path, key_env=key)
        run(pull)
        asked = len(server.asked)
        assert run(pull, NOW + timedelta(hours=5)).kept == []
        assert len(server.asked) == asked, "a delivery of five hours ago is new enough"
        assert run(pull, NOW + timedelta(hours=7)).kept == []
        assert len(server.asked) > asked
        asked = len(server.asked)
        assert run(pull, NOW + timedelta(hours=8)).kept == []
        assert len(server.asked) == asked, "that nothing changed was learned an hour ago"
        amount[0] = 1
        assert len(run(pull, NOW + timedelta(hours=14)).kept) == 3
    period = tmp_path / "openai" / "2026-10"
    assert len([one for one in period.iterdir() if not one.name.startswith(".")]) == 2
    listed = list_objects("bill", tmp_path / "openai")
    assert listed.skipped == {"hidden": 1}
    (period / ".asked.json").write_text("{")
    place = FolderPlace(tmp_path / "openai")
    assert vendor_costs.last_asked(place, date(2026, 10, 1)) == NOW + timedelta(hours=14)


@pytest.mark.parametrize(
    ("now", "periods"),
    [
        (datetime(2026, 10, 1, 0, 0, tzinfo=UTC), ["2026-09"]),
        (datetime(2026, 10, 2, 0, 0, tzinfo=UTC), ["2026-09", "2026-10"]),
        (datetime(2026, 10, 15, 23, 59, tzinfo=UTC), ["2026-09", "2026-10"]),
        (datetime(2026, 10, 16, 0, 0, tzinfo=UTC), ["2026-10"]),
        (datetime(2027, 1, 3, 0, 0, tzinfo=UTC), ["2026-12", "2027-01"]),
    ],
)
def test_ended_period_is_asked_for_while_it_may_change(now: datetime, periods: list[str]) -> None:
    found = vendor_costs.due_periods(now, date(2026, 1, 1))
    assert [f"{one:%Y-%m}" for one in found] == periods
    for period in found:
        start, end = vendor_costs.window(period, now)
        assert start < end <= now


def test_period_of_which_no_day_is_over_is_not_asked_for(tmp_path: Path, key: str) -> None:
    first = datetime(2026, 11, 1, 5, tzinfo=UTC)
    with serving(api_servers.openai) as server:
        pull = pull_of("openai", server.url, tmp_path, key_env=key)
        report = run(pull, first, days=(first.date(), first.date()))
    assert (report.reasons, server.asked) == (["day_not_over"], [])


def _with(**changes: Any) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        reply = api_servers.openai(asked)
        reply.body.update(changes)
        return reply

    return answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_with(has_more=True, next_page=None), "not_a_page"),
        (_with(has_more="yes", next_page="p"), "not_a_page"),
        (_with(data={}), "not_a_page"),
        (_with(has_more=True, next_page="page_0"), "pages_in_a_circle"),
        (lambda _: Reply(b"[]"), "not_a_page"),
        (lambda _: Reply(b'{"data": [1,'), "not_json"),
    ],
)
def test_pages_that_are_none_or_do_not_end_leave_nothing(
    tmp_path: Path, key: str, answer: Callable[[Asked], Reply], reason: str
) -> None:
    with serving(answer) as server:
        report = run(pull_of("openai", server.url, tmp_path, key_env=key))
    assert report.reasons == [reason]
    assert files(tmp_path) == []


def test_pages_have_a_limit(tmp_path: Path, key: str) -> None:
    def endless(asked: Asked) -> Reply:
        at = int(asked.query.get("page", ["page_0"])[0].removeprefix("page_"))
        return Reply({"data": [], "has_more": True, "next_page": f"page_{at + 1}"})

    with serving(endless) as server:
        limits = PullLimits(attempts=1, pages=7)
        report = run(pull_of("openai", server.url, tmp_path, key_env=key, limits=limits))
    assert (report.reasons, len(server.asked)) == (["pages"], 7)


def test_vendor_that_fails_on_the_last_page_leaves_no_delivery(tmp_path: Path, key: str) -> None:
    def answer(asked: Asked) -> Reply:
        last = asked.path.endswith("messages") and asked.query.get("page") == ["page_6"]
        return Reply(status=500) if last else api_servers.anthropic(asked, page_size=2)

    with serving(answer) as server:
        report = run(pull_of("anthropic", server.url, tmp_path, key_env=key))
    assert report.reasons == ["refused_for_now"]
    assert files(tmp_path) == []


def test_pull_that_fails_stops_no_other(tmp_path: Path, key: str) -> None:
    with serving(lambda _: Reply(status=401)) as down, serving(api_servers.anthropic) as up:
        reports = pull_all(
            [
                pull_of("openai", down.url, tmp_path, key_env=key),
                pull_of("anthropic", up.url, tmp_path, key_env=key),
            ],
            NOW,
            sleep=lambda _: None,
        )
    assert [report.reasons for report in reports] == [["not_allowed"], []]
    assert all(
        CANARY not in line for report in reports for line in [*report.failures, *report.lines()]
    )


# -- credentials ---------------------------------------------------------------------------------


def test_missing_key_is_told_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_ADMIN_KEY", raising=False)
    with serving(api_servers.openai) as server:
        for given in ({}, {"key_env": "TEST_ADMIN_KEY"}, {"key_file": str(tmp_path / "none")}):
            with pytest.raises(Refusal):
                run(pull_of("openai", server.url, tmp_path, **given))
        monkeypatch.setenv("TEST_ADMIN_KEY", "two\nlines")
        with pytest.raises(Refusal) as no:
            run(pull_of("openai", server.url, tmp_path, key_env="TEST_ADMIN_KEY"))
    assert "lines" not in no.value.line().partition("holds")[0]
    assert server.asked == []


def test_outside_a_pod_its_missing_token_is_told_by_its_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with pytest.raises(Refusal) as no:
        run(pull_of("kubernetes", "https://kubernetes.default.svc", tmp_path, key_file=str(token)))
    assert f"{token} of `live-kubernetes` cannot be read" in no.value.line()
    assert "outside a pod give `endpoint`" in no.value.line()


def test_key_is_read_from_a_file_as_secrets_are_mounted(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(CANARY + "\n")
    with serving(api_servers.anthropic) as server:
        run(pull_of("anthropic", server.url, tmp_path, key_file=str(tmp_path / "token")))
    assert server.asked[0].headers["x-api-key"] == CANARY


# -- Kubernetes ----------------------------------------------------------------------------------


def _object(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}}


PASSWORD = "canary-of-a-manifest"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OBJECTS = {
    "/api/v1/namespaces": [
        _object("tenant-a", labels={"tenant": "acme"}), _object("tenant-b", labels=None),
    ],
    "/api/v1/pods": [
        _object("app-1", namespace="tenant-a", labels={"app": "x"},
                annotations={"owner": "me", LAST_APPLIED: f'{{"env": "{PASSWORD}"}}', "long": "y" * 5000}),
    ],
    "/apis/apps/v1/deployments": [_object("app", namespace="tenant-a", labels={"tenant": "b"})],
}  # fmt: skip


@pytest.fixture
def cluster() -> Iterator[Server]:
    with serving(api_servers.kubernetes(OBJECTS)) as server:
        yield server


def test_snapshot_lands_in_the_columns_that_labels_are_read_from(
    tmp_path: Path, cluster: Server
) -> None:
    report = run(pull_of("kubernetes", cluster.url, tmp_path, cluster="prod"))
    assert [one.name for one in report.kept] == ["2026-10-08/060000Z.jsonl"]
    store = LandedStore(tmp_path / "lake")
    landed = land([Source("kubernetes", "main", tmp_path / "kubernetes")], store)
    assert (landed.new, landed.rejected) == (1, {})
    rows = standing(
        store, "kubernetes", ["cluster", "namespace", "kind", "name", "labels", "annotations"]
    )
    assert rows == [
        ("prod", "tenant-a", "Deployment", "app", '{"tenant":"b"}', "{}"),
        ("prod", "tenant-a", "Pod", "app-1", '{"app":"x"}', '{"owner":"me"}'),
        ("prod", None, "Namespace", "tenant-a", '{"tenant":"acme"}', "{}"),
        ("prod", None, "Namespace", "tenant-b", "{}", "{}"),
    ]


def test_snapshot_holds_no_configuration_and_says_how_much_it_left_out(
    tmp_path: Path, cluster: Server
) -> None:
    report = run(pull_of("kubernetes", cluster.url, tmp_path, cluster="prod"))
    assert report.kept[0].detail == "4 objects, 2 annotations left out"
    assert PASSWORD not in (tmp_path / "kubernetes" / report.kept[0].name).read_text()
    assert {one.headers["Accept"] for one in cluster.asked} == {
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    }


def test_snapshot_that_says_nothing_new_is_not_written_again(
    tmp_path: Path, cluster: Server
) -> None:
    pull = pull_of("kubernetes", cluster.url, tmp_path, cluster="prod")
    run(pull)
    assert run(pull, NOW + timedelta(hours=1)).kept == []
    assert len(run(pull, NOW + timedelta(days=1)).kept) == 1, "another day's labels are its own"


def test_token_of_a_service_account_goes_to_the_server_and_nowhere_else(
    tmp_path: Path, cluster: Server
) -> None:
    (tmp_path / "token").write_text(CANARY)
    report = run(
        pull_of(
            "kubernetes", cluster.url, tmp_path, cluster="prod", key_file=str(tmp_path / "token")
        )
    )
    assert {one.headers["Authorization"] for one in cluster.asked} == {f"Bearer {CANARY}"}
    assert CANARY not in (tmp_path / "kubernetes" / report.kept[0].name).read_text()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=403), "not_allowed"),
        (Reply(status=410), "unusable_status"),
        (Reply(status=500), "refused_for_now"),
        (Reply(status=302, headers={"Location": "http://169.254.169.254/"}), "redirect"),
        (Reply(b"<html>", content_type="text/html"), "content_type"),
        (Reply(b'{"items": 1}'), "not_a_page"),
        (Reply(b'{"items": [1]}'), "not_an_object"),
        (Reply(b'{"items": [{}]}'), "not_an_object"),
        (Reply(b'{"items": []}'), "no_rows"),
        (Reply(b'{"items": [', cut_at=5), "no_answer"),
    ],
)
def test_api_server_that_answers_otherwise_leaves_no_snapshot(
    tmp_path: Path, reply: Reply, reason: str
) -> None:
    with serving(lambda _: reply) as server:
        report = run(pull_of("kubernetes", server.url, tmp_path, cluster="prod"))
    assert report.reasons == [reason]
    assert files(tmp_path) == []


def test_kubernetes_client_goes_to_no_forbidden_address_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def metadata(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(socket, "getaddrinfo", metadata)
    report = run(pull_of("kubernetes", "http://api.example.com", tmp_path, cluster="prod"))
    assert report.reasons == ["forbidden_address"]


# -- the folder ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", ".hidden", "a/.b", "a//..", "", "a\0b", "x" * 300]
)
def test_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    place = FolderPlace(tmp_path / "in")
    file = tmp_path / "answer"
    file.write_bytes(b"{}")
    with pytest.raises(Refusal):
        place.keep(file, name)
    assert files(tmp_path) == ["answer"]


def test_landing_beside_a_pull_never_meets_half_an_answer(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    place = FolderPlace(folder)
    file = tmp_path / "answer"
    whole = b"x" * 500_000
    file.write_bytes(whole)
    done = threading.Event()

    def write() -> None:
        for _ in range(20):
            place.keep(file, "day/a.json")
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    sizes = set()
    while not done.is_set():
        sizes |= {one.stat().st_size for one in folder.glob("day/[!.]*")}
    thread.join()
    assert sizes == {len(whole)}


def test_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "opencost").write_text("no folder")
    with serving(api_servers.opencost) as server:
        (tmp_path / "later").mkdir()
        pulls = [
            pull_of("opencost", server.url, tmp_path),
            pull_of("opencost", server.url, tmp_path / "later"),
        ]
        first, second = pull_all(pulls, NOW, sleep=lambda _: None)
        assert first.reasons == ["unusable_place"]
        assert "is a file, so nothing can be pulled into it" in first.failures[0]
        assert (len(second.kept), second.failures) == (6, []), "it stops no other pull"
        server.asked.clear()
        below = pull_of("opencost", server.url, tmp_path, uri=tmp_path / "opencost" / "below")
        report = run(below)
    assert report.reasons == ["out_of_reach"]
    assert server.asked == []
