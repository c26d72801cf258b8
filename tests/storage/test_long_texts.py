"""A page with long texts is read whole by a second statement, unless they are too long together."""

import dataclasses

import pytest
from xcom_server import clock
from xcom_server.errors import ResponseTooLarge
from xcom_server.storage.queries import MAX_ROWS, Filter
from xcom_server.storage.runs import NewRun
from xcom_server.storage.sql.store import SqlXComStore

LENGTHS = (2, 500, 200_000)
CONFS = [f'{{"a":"{"é" * length}"}}' for length in LENGTHS]


def add_runs(store: SqlXComStore) -> None:
    for number, conf in enumerate(CONFS):
        run = NewRun(
            dag_id="etl",
            run_id=f"r{number}",
            logical_date=None,
            run_after=clock.now(),
            data_interval_start=None,
            data_interval_end=None,
            conf=conf,
        )
        store.runs.trigger(run)


@pytest.mark.parametrize("limit", [3, 100, MAX_ROWS])
@pytest.mark.parametrize("offset", [0, 1])
def test_page_has_its_long_texts(store: SqlXComStore, limit: int, offset: int) -> None:
    add_runs(store)

    page = store.runs.list(Filter(), limit=limit, offset=offset)

    assert [run.conf for run in page.entries] == CONFS[offset:]
    assert page.total_entries == 3


def test_texts_that_are_too_long_together_are_not_read(
    store: SqlXComStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_runs(store)
    limits = dataclasses.replace(store._backend.limits, max_response_bytes=100_000)
    monkeypatch.setattr(store._backend, "limits", limits)

    with pytest.raises(ResponseTooLarge):
        store.runs.list(Filter(), limit=MAX_ROWS)
    assert len(store.runs.list(Filter(), limit=2).entries) == 2
