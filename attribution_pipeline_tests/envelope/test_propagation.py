"""The envelope in headers: one opaque member of baggage, that stays inside."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_pipeline.envelope import Carried, EnvelopeError
from attribution_pipeline.envelope.propagation import (
    MAX_HEADER_BYTES,
    MAX_MEMBERS,
    extract,
    headers_for,
    inject,
    is_inside,
    strip,
    strip_outside,
)
from attribution_pipeline_tests.envelope.envelopes import TOKENS, judged

TOKEN = TOKENS["gw-2026a"]
CARRIED = Carried(TOKEN, attempt=3, parent_issuance_id="iss-0:a")


@pytest.mark.parametrize("carried", [Carried(TOKEN), CARRIED])
def test_what_is_written_is_read_back(carried: Carried) -> None:
    headers: dict[str, str] = {}
    inject(headers, carried)
    assert list(headers) == ["baggage"]
    assert extract(headers) == carried
    assert judged(TOKEN)


def test_the_header_is_w3c_baggage_with_ours_first() -> None:
    headers = {"Baggage": "userId=alice;prop=1, serverNode=DF%2028"}
    inject(headers, CARRIED)
    assert headers == {
        "Baggage": f"attribution.envelope={TOKEN},attribution.attempt=3,"
        "attribution.parent_issuance_id=iss-0%3Aa,userId=alice;prop=1,serverNode=DF%2028"
    }


def test_the_token_needs_no_escape_in_a_header() -> None:
    headers: dict[str, str] = {}
    inject(headers, Carried(TOKEN))
    assert f"attribution.envelope={TOKEN}" in headers["baggage"]


def test_carrying_another_replaces_the_first_and_none_takes_it_out() -> None:
    headers = {"baggage": "a=1"}
    inject(headers, CARRIED)
    inject(headers, Carried("other"))
    assert extract(headers) == Carried("other")
    assert headers["baggage"].endswith(",a=1")
    assert "iss-0" not in headers["baggage"]
    strip(headers)
    assert headers == {"baggage": "a=1"}
    assert extract(headers) is None


@pytest.mark.parametrize(
    "headers",
    [{}, {"baggage": ""}, {"baggage": "a=1"}, {"x": "attribution.envelope=t"},
     {"baggage": "attribution.envelope="}, {"baggage": "attribution.envelope"},
     {"baggage": "attribution.attempt=2"}],
)  # fmt: skip
def test_headers_without_a_token_carry_nothing(headers: dict[str, str]) -> None:
    assert extract(headers) is None


def test_headers_may_be_of_any_case_spaced_and_bytes() -> None:
    text = f" a=1 , attribution.envelope = {TOKEN} ;meta=x , attribution.attempt=2"
    for headers in ({"BAGGAGE": text}, {"Baggage": text.encode()}, {b"baggage": text.encode()}):
        found = extract(headers)  # type: ignore[arg-type]
        assert found == Carried(TOKEN, 2)


@pytest.mark.parametrize("attempt", ["", "0", "-1", "1.5", "x", "٣", "1" * 9, "99999999"])
def test_lineage_that_cannot_be_is_left_out_and_the_token_stays(attempt: str) -> None:
    headers = {
        "baggage": f"attribution.envelope={TOKEN},attribution.attempt={attempt},"
        "attribution.parent_issuance_id=a%20b"
    }
    assert extract(headers) == Carried(TOKEN)


def test_attempts_only_grow_and_the_token_stays() -> None:
    second = Carried(TOKEN).retried()
    assert (second.token, second.attempt, second.retried().attempt) == (TOKEN, 2, 3)


@pytest.mark.parametrize(
    "given",
    [{"token": ""}, {"token": None}, {"attempt": 0}, {"attempt": True}, {"attempt": 10**7},
     {"parent_issuance_id": "a b"}, {"parent_issuance_id": ""}],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(EnvelopeError):
        Carried(**{"token": TOKEN, **given})


def test_a_header_that_would_be_cut_on_the_way_is_refused() -> None:
    """Both limits of W3C Baggage, at the limit and one beyond."""
    own = len(f"attribution.envelope={TOKEN},attribution.attempt=1,")
    room = MAX_HEADER_BYTES - own
    fits = {"baggage": "a=" + "x" * (room - 2)}
    inject(fits, Carried(TOKEN))
    assert len(fits["baggage"]) == MAX_HEADER_BYTES
    before = "a=" + "x" * (room - 1)
    over = {"baggage": before}
    with pytest.raises(EnvelopeError, match="carry less beside the envelope"):
        inject(over, Carried(TOKEN))
    assert over == {"baggage": before}
    many = {"baggage": ",".join(f"k{n}=1" for n in range(MAX_MEMBERS - 2))}
    inject(many, Carried(TOKEN))
    with pytest.raises(EnvelopeError, match=f"{MAX_MEMBERS + 1} members"):
        inject({"baggage": many["baggage"] + ",one=more"}, Carried(TOKEN))


def test_stripping_takes_all_of_ours_in_every_spelling() -> None:
    headers: dict[str, Any] = {
        "baggage": f"a=1,attribution.envelope={TOKEN},attribution.tenant_id=acme",
        "BAGGAGE": b"attribution%2Eenvelope=x, b=2",
        "other": "attribution.envelope=kept, it is no baggage",
    }
    strip(headers)
    assert headers == {"baggage": "a=1,b=2", "other": "attribution.envelope=kept, it is no baggage"}


@given(
    st.dictionaries(st.text(max_size=12), st.text(max_size=60), max_size=4), st.text(max_size=80)
)
@settings(max_examples=200, deadline=None)
def test_no_header_raises_and_nothing_of_ours_outlives_stripping(
    headers: dict[str, str], baggage: str
) -> None:
    headers["baggage"] = f"{baggage},attribution.envelope={TOKEN},{baggage}"
    extract(headers)
    strip(headers)
    assert extract(headers) is None
    assert TOKEN not in str(headers.get("baggage"))


INSIDE = ["*.svc.cluster.local", "gateway", "10.0.0.*", "::1", "API.example.com"]


@pytest.mark.parametrize(
    "destination",
    ["http://gateway/x?y#z", "gateway", "gateway:8443", "https://user:pw@gateway:1/", "GATEWAY",
     "https://a.b.svc.cluster.local./", "10.0.0.7:80", "http://[::1]:80/", "api.example.com"],
)  # fmt: skip
def test_hosts_inside(destination: str) -> None:
    assert is_inside(destination, INSIDE)
    assert headers_for(destination, CARRIED, INSIDE)


@pytest.mark.parametrize(
    "destination",
    ["https://api.openai.com/v1", "", "http://", "gateway.evil.com", "evilgateway", "10.0.1.7",
     "http://gateway@evil.com/", "http://evil.com/gateway", "http://evil.com?gateway",
     "http://evil.com#@gateway", "svc.cluster.local", "http://gateway\\@evil.com",
     "http://evil.com\\.svc.cluster.local/", "http://evil.com%2f.svc.cluster.local",
     "http://evil.com .svc.cluster.local", "ｇateway", "http://[::1", "http://[::2]/"],
)  # fmt: skip
def test_hosts_outside(destination: str) -> None:
    assert not is_inside(destination, INSIDE)
    assert headers_for(destination, CARRIED, INSIDE) == {}
    headers = {"baggage": f"a=1,attribution.envelope={TOKEN}"}
    strip_outside(destination, headers, INSIDE)
    assert headers == {"baggage": "a=1"}


def test_one_text_in_place_of_a_list_is_refused() -> None:
    """Its letters would be patterns, and "*" among them would be everywhere."""
    with pytest.raises(EnvelopeError, match="list of host patterns"):
        is_inside("gateway", "*.example.com")
    assert not is_inside("gateway", [])
