"""Who, where and what: the names that fill columns, and everything that must not land."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.sources.otlp.aliases import CALLS
from attribution_pipeline_tests.sources.otlp_documents import (
    land,
    land_table,
    lines,
    one,
    protobuf,
    request,
    span,
)

CANARY = "canary-5f1c"


@pytest.mark.parametrize("column", [*WHO, "originator_id"])
def test_every_who_column_is_read_from_its_own_attribute(column: str) -> None:
    row = one({f"attribution.{column}": "x"})
    assert {name for name in (*WHO, "originator_id") if row[name] == "x"} == {column}


@pytest.mark.parametrize(
    ("attributes", "attempt"),
    [
        ({"attribution.attempt": 2, "http.request.resend_count": 5}, 2),
        ({"http.request.resend_count": 0}, 1),
        ({"http.request.resend_count": "1"}, 2),
        # attempts count from 1
        ({"attribution.attempt": 0}, None),
        ({"attribution.attempt": "second"}, None),
        ({}, None),
    ],
)
def test_an_attempt_counts_from_one_whoever_says_it(
    attributes: dict[str, Any], attempt: int | None
) -> None:
    assert one(attributes)["attempt"] == attempt


@pytest.mark.parametrize(
    ("attribute", "column"),
    [
        ("attribution.run_id", "run_id"),
        ("attribution.workflow.run_id", "run_id"),
        ("attribution.parent_issuance_id", "parent_issuance_id"),
        ("attribution.envelope", "envelope"),
        ("attribution.tenant.id", "tenant_id"),
        ("attribution.tenant.name", "tenant_id"),
        ("attribution.workflow.name", "workflow_id"),
        ("attribution.consumer.id", "consumer_id"),
        ("attribution.originator.id", "originator_id"),
        ("attribution.prompt.version", "prompt_version"),
    ],
)
def test_dotted_spellings_are_read_alike(attribute: str, column: str) -> None:
    assert one({attribute: "x"})[column] == "x"


def test_the_plain_spelling_wins_over_the_dotted_one_in_any_order() -> None:
    names = {
        "attribution.tenant.name": "c",
        "attribution.tenant_id": "a",
        "attribution.tenant.id": "b",
    }
    assert one(names)["tenant_id"] == "a"
    assert one(dict(reversed(names.items())))["tenant_id"] == "a"


def test_of_a_duplicate_key_the_first_wins() -> None:
    doubled = span()
    doubled["attributes"] = [
        {"key": "attribution.tenant_id", "value": {"stringValue": tenant}} for tenant in ("a", "b")
    ]
    [row], _ = land(lines(request(doubled)))
    assert row["tenant_id"] == "a"


def test_an_empty_value_does_not_hide_a_later_name() -> None:
    for empty in ("", {}, [1], {"bytesValue": "AA=="}):
        row = one({"attribution.tenant_id": empty, "attribution.tenant.id": "b"})
        assert row["tenant_id"] == "b"


def test_a_span_speaks_before_its_resource() -> None:
    resource = {"attribution.tenant_id": "of-resource", "attribution.project": "p"}
    row = one({"attribution.tenant.name": "of-span"}, resource=resource)
    assert (row["tenant_id"], row["project"]) == ("of-span", "p")
    assert one({}, resource=resource)["tenant_id"] == "of-resource"


def test_numbers_and_truths_identify_as_text() -> None:
    row = one({"attribution.tenant_id": 42, "attribution.feature": True})
    assert (row["tenant_id"], row["feature"]) == ("42", "true")


def test_nobody_is_invented_from_other_conventions() -> None:
    row = one(
        {
            "gen_ai.agent.name": "x",
            "gen_ai.workflow.name": "x",
            "user.id": "x",
            "session.id": "x",
            "gen_ai.conversation.id": "x",
            "tenant.id": "x",
            "gen_ai.prompt.version": "x",
        },
        resource={
            "service.name": "app",
            "deployment.environment.name": "x",
            "service.namespace": "x",
        },
    )
    assert {row[column] for column in (*WHO, "originator_id")} == {None}


def test_the_envelope_is_carried_as_it_came() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.e30.x"
    assert one({"attribution.envelope": token})["envelope"] == token


def test_policy_attributes_are_kept_and_nothing_else() -> None:
    keep = frozenset({"app.tenant", "litellm.team.id", "count", "attribution.tenant_id"})
    row = one(
        {"app.tenant": "t", "count": 5, "other": "o", "attribution.tenant_id": "a"},
        resource={"app.tenant": "r", "litellm.team.id": "team", "other": "o"},
        keep=keep,
    )
    assert orjson.loads(row["attributes"]) == {
        "app.tenant": "t",
        "attribution.tenant_id": "a",
        "count": 5,
        "litellm.team.id": "team",
    }
    assert row["attributes"].startswith('{"app.tenant":')  # keys sorted: equal content, equal text
    assert row["tenant_id"] == "a"
    assert one({"other": "o"}, keep=keep)["attributes"] is None


def test_the_response_names_the_model_before_the_request() -> None:
    names = {"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06"}
    assert one(names)["model"] == "gpt-4o-2024-08-06"
    assert one({"gen_ai.request.model": "gpt-4o"})["model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("attribute", "spelled", "provider"),
    [
        ("gen_ai.provider.name", "aws.bedrock", "aws.bedrock"),
        ("gen_ai.system", "OpenAI", "openai"),
        ("gen_ai.system", "vertex_ai", "gcp.vertex_ai"),
        ("gen_ai.system", "az.ai.openai", "azure.ai.openai"),
        ("gen_ai.system", "xai", "x_ai"),
        ("llm.provider", "Anthropic", "anthropic"),
        ("llm.system", "openai", "openai"),
        ("gen_ai.provider.name", "vllm", "vllm"),
    ],
)
def test_providers_have_one_name(attribute: str, spelled: str, provider: str) -> None:
    assert one({attribute: spelled})["provider"] == provider


@pytest.mark.parametrize(
    ("attributes", "operation"),
    [
        ({"gen_ai.operation.name": "chat"}, "chat"),
        ({"gen_ai.operation.name": "generate_content"}, "generate_content"),
        ({"llm.request.type": "chat"}, "chat"),
        ({"llm.request.type": "completion"}, "text_completion"),
        ({"llm.request.type": "embedding"}, "embeddings"),
        ({"openinference.span.kind": "LLM"}, "chat"),
        ({"openinference.span.kind": "EMBEDDING"}, "embeddings"),
        ({"openinference.span.kind": "AGENT"}, "invoke_agent"),
        ({"openinference.span.kind": "CHAIN"}, None),
        ({"gen_ai.operation.name": "invoke_agent", "openinference.span.kind": "LLM"}, "invoke_agent"),
        ({"gen_ai.operation.name": "invoke_workflow"}, "invoke_workflow"),
        ({"gen_ai.operation.name": "plan"}, "plan"),
        ({"gen_ai.operation.name": "execute_tool"}, "execute_tool"),
        ({"gen_ai.operation.name": "fetch_response"}, "fetch_response"),
        ({"gen_ai.operation.name": "count_tokens"}, "count_tokens"),
        ({}, None),
    ],
)  # fmt: skip
def test_only_what_a_vendor_bills_is_a_call(attributes: dict[str, Any], operation: str) -> None:
    row = one({**attributes, "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 1})
    assert row["operation_name"] == operation
    assert row["is_call"] == (operation in CALLS)


def test_vllm_server_span_is_a_call_and_any_other_span_of_that_name_is_not() -> None:
    served = one(
        {
            "gen_ai.usage.prompt_tokens": 9,
            "gen_ai.usage.completion_tokens": 2,
            "gen_ai.request.id": "r",
        },
        fields={"name": "llm_request", "kind": 2},
    )
    assert (served["is_call"], served["response_id"], served["kind"]) == (True, "r", 2)
    assert one({"x": "y"}, fields={"name": "llm_request"})["is_call"] is False


def test_the_cloud_of_the_caller_says_nothing_of_another_vendor() -> None:
    aws = {"cloud.provider": "aws", "cloud.account.id": "111", "cloud.region": "eu-west-1"}
    bedrock = one({"gen_ai.provider.name": "aws.bedrock"}, resource=aws)
    assert (bedrock["account"], bedrock["region"]) == ("111", "eu-west-1")
    for provider in ("openai", "anthropic", "azure.ai.openai", "gcp.vertex_ai"):
        row = one({"gen_ai.provider.name": provider}, resource=aws)
        assert (row["account"], row["region"]) == (None, None), provider
    unnamed_cloud = {"cloud.account.id": "111"}
    assert one({"gen_ai.provider.name": "gcp.gemini"}, resource=unnamed_cloud)["account"] == "111"
    assert one({}, resource=aws)["account"] is None


def test_where_a_call_went_is_read_from_the_call_first() -> None:
    aws = {"cloud.provider": "aws", "cloud.account.id": "111", "cloud.region": "eu-west-1"}
    named = one(
        {
            "gen_ai.provider.name": "aws.bedrock",
            "cloud.account.id": "222",
            "attribution.account_id": "333",
            "aws.region": "us-east-1",
        },
        resource=aws,
    )
    assert (named["account"], named["region"]) == ("333", "us-east-1")
    for host in (
        "bedrock-runtime.us-west-2.amazonaws.com",
        "bedrock-runtime-fips.us-west-2.amazonaws.com",
        "vpce-0a1.bedrock-runtime.us-west-2.vpce.amazonaws.com",
    ):
        by_host = one({"gen_ai.provider.name": "aws.bedrock", "server.address": host}, resource=aws)
        assert (by_host["account"], by_host["region"]) == ("111", "us-west-2"), host
    by_name = one(
        {"gen_ai.provider.name": "openai"},
        resource=aws | {"attribution.account_id": "org-1", "attribution.region": "eu"},
    )
    assert (by_name["account"], by_name["region"]) == ("org-1", "eu")


@pytest.mark.parametrize(
    ("state", "threshold"),
    [
        ("ot=th:8", "8"),
        ("vendor=x, ot=rv:abc;th:fd70a4 , b=1", "fd70a4"),
        ("ot=th:0", "0"),
        ("ot=rv:1234", None),
        ("not=th:8", None),
        ("ot=th:XYZ", None),
        ("vendor=th:8", None),
    ],
)
def test_sampling_threshold_is_read_from_tracestate(state: str, threshold: str | None) -> None:
    assert one({}, fields={"traceState": state})["sampling_threshold"] == threshold


@pytest.mark.parametrize(
    ("kind", "number"),
    [(3, 3), ("SPAN_KIND_SERVER", 2), ("Client", 3), (None, 0), (9, None), ("odd", None)],
)
def test_span_kind_is_a_number_whichever_way_it_was_written(kind: Any, number: Any) -> None:
    assert one({}, fields={"kind": kind})["kind"] == number


def test_a_failure_without_a_class_is_other() -> None:
    assert one({}, fields={"status": {"code": 2}})["error_type"] == "_OTHER"
    assert one({"error.type": "429"}, fields={"status": {"code": 2}})["error_type"] == "429"
    assert one({}, fields={"status": {"code": 1}})["error_type"] is None


def leaky_request() -> dict[str, Any]:
    """A call with the canary in everything that may hold content."""
    content = {
        name: f"{CANARY} {name}"
        for name in (
            "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
            "gen_ai.tool.definitions", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
            "gen_ai.prompt.0.content", "gen_ai.completion.0.content", "input.value", "output.value",
            "llm.input_messages.0.message.content", "llm.prompts", "langfuse.observation.input",
            "traceloop.entity.input", "exception.message", "url.full", "db.query.text", "user.id",
        )
    }  # fmt: skip
    leaky = span(
        {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1, **content},
        status={"code": 2, "message": CANARY},
        events=[
            {
                "timeUnixNano": "5",
                "name": CANARY,
                "attributes": [{"key": CANARY, "value": {"stringValue": CANARY}}],
            }
        ],
        links=[
            {
                "traceId": "1" * 32,
                "spanId": "2" * 16,
                "attributes": [{"key": "k", "value": {"stringValue": CANARY}}],
            }
        ],
    )
    leaky["attributes"] += [
        {
            "key": "gen_ai.input.messages",
            "value": {"arrayValue": {"values": [{"stringValue": CANARY}]}},
        },
        {
            "key": "attribution.tenant_id",
            "value": {"kvlistValue": {"values": [{"key": CANARY, "value": {"stringValue": CANARY}}]}},
        },
    ]  # fmt: skip
    return request(leaky, resource={"service.name": "app", "process.command_line": CANARY})


@pytest.mark.parametrize("encode", [lambda document: lines(document), protobuf])
def test_no_content_reaches_landed_bytes(encode: Any) -> None:
    data = encode(leaky_request())
    assert CANARY.encode() in data
    landed = io.BytesIO()
    table = land_table(data)
    pq.write_table(table, landed, compression="none", use_dictionary=False)
    assert table.num_rows == 1
    assert CANARY.encode() not in landed.getvalue()


def test_content_lands_only_where_a_policy_asks_for_it() -> None:
    landed = io.BytesIO()
    table = land_table(lines(leaky_request()), keep=frozenset({"user.id"}))
    pq.write_table(table, landed, compression="none")
    assert table["attributes"].to_pylist() == [f'{{"user.id":"{CANARY} user.id"}}']
