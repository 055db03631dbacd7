"""Headless runs are told to an instance in memory that keeps to one connection a storage."""

from __future__ import annotations

import threading

import dagster as dg
import pytest

from attribution_pipeline.orchestration.instance import headless_instance


@dg.asset
def one() -> dg.MaterializeResult:
    return dg.MaterializeResult(data_version=dg.DataVersion("digest"))


def test_a_run_is_told_over_the_connection_that_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with headless_instance() as instance:
        storage = instance.event_log_storage
        opened = []
        connect = storage._engine.connect
        monkeypatch.setattr(storage._engine, "connect", lambda: opened.append(1) or connect())
        result = dg.materialize([one], instance=instance)
        assert result.success
        event = instance.get_latest_materialization_event(one.key)
        assert event is not None
        assert len(opened) <= 1  # a look for a table goes its own way; else it were one a statement


def test_another_thread_reads_what_the_first_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with headless_instance() as instance:
        run_id = dg.materialize([one], instance=instance).run_id
        found: list[object] = []

        def look() -> None:
            found.extend((instance.get_run_by_id(run_id), instance.all_logs(run_id)))

        reader = threading.Thread(target=look)
        reader.start()
        reader.join()
        assert getattr(found[0], "is_success", False)
        assert found[1]
