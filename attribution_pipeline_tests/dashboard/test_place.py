"""The URL says where a reader stands, whatever things are called."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution_pipeline.views.dashboard.place import LEVELS, NARROWING, NONE, Place, month_before

NAMES = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
PLACES = st.builds(
    Place,
    month=st.dates(date(2020, 1, 1), date(2030, 1, 1)).map(lambda day: day.replace(day=1)),
    currency=st.none() | st.sampled_from(["USD", "EUR"]),
    within=st.dictionaries(st.sampled_from(NARROWING), NAMES, max_size=4),
)


def _of(query: str) -> Place:
    found = parse_qs(query)
    return Place.of({name: values[-1] for name, values in found.items()}, found.get(NONE, []))


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is slow at first
@given(PLACES)
def test_a_place_survives_its_url(place: Place) -> None:
    assert _of(place.query()) == place


def test_nobody_and_somebody_called_none_are_two() -> None:
    nobody, somebody = (Place(date(2026, 10, 1)).at("tenant_id", name) for name in (None, "none"))
    assert nobody.query() != somebody.query()
    assert _of(nobody.query()).within == {"tenant_id": None}
    assert _of(somebody.query()).within == {"tenant_id": "none"}


def test_a_day_is_of_its_month_and_leads_back_to_it() -> None:
    place = _of("day=2026-10-05&month=2025-01")
    assert (place.month, place.first, place.last) == (date(2026, 10, 1), *[date(2026, 10, 5)] * 2)
    assert place.on(None).last == date(2026, 10, 31)


def test_what_is_no_date_and_no_column_is_left_out() -> None:
    assert _of("month=2026-13&day=yesterday&attribution_id=1&none=charge_id") == Place()


def test_steps_go_down_the_path_in_order() -> None:
    place = Place(date(2026, 10, 1))
    for level in LEVELS:
        assert place.next_level == level
        place = place.at(level, "x")
    assert place.next_level is None
    assert place.without("tenant_id").next_level == "tenant_id"


def test_the_month_before_january_is_december() -> None:
    assert month_before(date(2026, 1, 31)) == date(2025, 12, 1)
