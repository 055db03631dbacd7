"""The reference pages of the policy file and of the deployment file: their sections and examples.

Belongs here: the order of sections, an example each (read by the product before it is written), lists of
words. Does not: what a key means (its model), how a table is made (``file_reference``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import file_reference

from attribution_pipeline.buckets.settings import S3
from attribution_pipeline.config import (
    BillingSource,
    ComputeLimits,
    Deployment,
    OpenCostSource,
    Sources,
    SpanSource,
    SparkEngine,
    TableSource,
)
from attribution_pipeline.config_alerts import Channel, DagsterUi
from attribution_pipeline.config_pull import PullEntry, PullLimitsGiven
from attribution_pipeline.model import policy_words as words
from attribution_pipeline.model.errors import Broken
from attribution_pipeline.model.ledger import SURFACES
from attribution_pipeline.model.policy import (
    Dedicated,
    Idle,
    Issuer,
    Join,
    Meter,
    ModelPattern,
    NodeMapping,
    Owner,
    Policy,
    Pool,
    Serving,
    Settlement,
    Slo,
    Tolerance,
    Workload,
    parse_policy,
)
from attribution_pipeline.model.policy.charges import DRIVERS, IDLE_DRIVERS
from attribution_pipeline.model.policy_text import table
from attribution_pipeline.model.strict import Strict, validated
from attribution_pipeline.model.tokens import KINDS
from attribution_pipeline.model.yaml_lines import parse_document


@dataclass(frozen=True)
class Section:
    """One model of the file: where it stands, an example of it, what else is to be said."""

    name: str
    model: type[Strict]
    example: str = ""
    more: str = ""


HEAD = """\
policy: ai-chargeback
version: 2
effective_from: 2026-10-01
note: GPU idle follows active time
"""

KIND_OF_VALUE = """\
| takes | is written |
| --- | --- |
| text | one line without blanks around it; what looks like a number or a day in quotes: `"4711"` |
| name | letters, digits, `.`, `_`, `-`; at most 128 |
| number | digits and a point, exact as written, without quotes |
| day | `2026-10-01`, a UTC charge day |
| duration | a whole number and `s`, `m`, `h` or `d`: `72h` |
"""

MATCHING = """\
## Conditions

`match` names columns of a charge, and a shell pattern for each; **all must hold**. Columns are those of
FOCUS (`ServiceName`, `SkuMeter`, `ChargeCategory`, `ResourceId`, `SubAccountId`, ...; text columns, no
amounts and no times), one tag each (`Tags.<key>`, `AllocatedTags.<key>`; a key may hold colons, and is
then quoted), and vendors' own (`x_<Name>`).

| pattern | holds for |
| --- | --- |
| `AWS Support` | that text alone; case matters |
| `AWS Support*` | what begins so: `*` stands for any text, also none |
| `*-input-tokens` | what ends so |
| `gpt-4?` | `?` stands for one character |
| `[ab]*` | `[...]` for one of these |
| `*` | any value; a column without a value matches nothing |

There is no "or" within a rule: write two rules. In `meters`, `pools`, `serving`, `nodes` and `owners` the
first rule that matches takes the charge, the call, the node or the row, so the finer ones stand above.
A charge goes to the first of: a meter, a pool, the tenant of its own tag `join.tenant_tag`. What is left
is `unmatched_charge` (an unused commitment is `unused_commitment`, a purchase overhead).

```yaml
match: {ServiceName: "Amazon Elastic Compute Cloud*", "Tags.aws:eks:cluster-name": "prod-*"}
```
"""


def token_kinds() -> str:
    rows = [
        (f"`{kind}`", "a bucket: disjoint from the others" if parts == (kind,)
         else "the sum of " + ", ".join(f"`{part}`" for part in parts))
        for kind, parts in KINDS.items()
    ]  # fmt: skip
    return "### Token kinds\n\n" + table(("token kind", "is"), rows)


def drivers() -> str:
    rows = []
    for word in (*DRIVERS, "usage.<metric>"):
        idle = "yes" if word in IDLE_DRIVERS else "no"
        if word in words.BY_PHASE:
            for phase, where in words.PHASES.items():
                weighs, _ = words.driver(word, phase)
                rows.append(
                    (f"`{word}`", f"of {where}: {weighs}", "yes" if phase == "idle" else "no")
                )
            continue
        rows.append((f"`{word}`", words.driver(word)[0], idle))
    return (
        "### Drivers\n\n"
        + table(("driver", "weighs", "divides idle"), rows)
        + "\n\nA driver without quantities leaves the charge unallocated, `no_driver`. A fee that all the "
        "account's costs should carry alike, for support, a control plane, a licence or tax, is overhead: "
        "`cost` of a shared pool gives it to callers of metered models alone, and none of it to a tenant "
        "that only runs pods. `attribution policy check` says for every `cost` and `even` what they look at."
    )


def identity_steps() -> str:
    rows = [(f"`{step}`", said) for step, said in words.IDENTITY_STEPS.items()]
    return (
        "### Identity steps\n\n"
        + table(("step", "who answers"), rows)
        + "\n\nA call that no step answers for stands as `identity_missing`; one that carries an envelope "
        "which is not believed, as `identity_unverified`, and no later step is asked."
    )


def surfaces() -> str:
    return "Surfaces: " + ", ".join(f"`{word}`" for word in SURFACES) + "."


POLICY_SECTIONS: Sequence[Section] = (
    Section("", Policy, HEAD),
    Section("settlement", Settlement,
            "settlement: {metric: effective_cost, provisional_for: 72h, closed_period: restate}\n"),
    Section("join", Join, """\
join:
  route_keys: [account, region]
  tenant_label: team.example.com/tenant
  tenant_aliases: {Acme-Inc: acme}
  attributes: {tenant_id: [app.tenant, customer.id], workflow_id: [app.workflow]}
  dedicated: [{namespace: "tenant-*"}]
""", identity_steps()),
    Section("join.dedicated[]", Dedicated),
    Section("owners[]", Owner, """\
owners:
  - {tenant: acme, workflow: "invoice-*", team: billing, cost_center: "4711"}
  - {tenant: acme, team: growth}
"""),
    Section("issuers[]", Issuer, """\
issuers:
  - {services: [gateway], keys: ["gw-2026*"], tenants: ["*"]}
"""),
    Section("tolerance", Tolerance, "tolerance: {telemetry_coverage: [0.98, 1.02], rejected_records: 10}\n"),
    Section("slo", Slo, "slo: {unallocated_share: 0.05}\n"),
    Section("meters[]", Meter, """\
meters:
  - match: {ServiceName: "Amazon Bedrock", SkuMeter: "*-input-tokens"}
    provider: aws.bedrock
    model: {from: SkuMeter, pattern: "^(?P<model>.+)-input-tokens$"}
    token_kind: uncached_input
    tokens_per_unit: {1K tokens: 1000}
""", f"{token_kinds()}\n\n{surfaces()}"),
    Section("meters[].model", ModelPattern, "", "Or one text, where a rule is of one model: `model: gpt-4o`."),
    Section("nodes[]", NodeMapping, """\
nodes:
  - {from: provider_id, pattern: "(?P<id>i-[0-9a-f]+)$", to: ResourceId}   # EKS: the instance
  # AKS: the bill has the scale set, whose nodes are then one resource
  - {from: provider_id, pattern: "(?i)/virtualMachineScaleSets/(?P<id>[^/]+)", to: ResourceId}
  # GKE: OpenCost's node is the instance's name
  - {from: node, pattern: "^(?P<id>gke-.+)$", to: ResourceName}
"""),
    Section("serving[]", Serving, """\
serving:
  - {server_address: "vllm.inference.svc*", workload: {namespace: inference, controller: vllm}}
  - {model: "bge-*", workload: {namespace: inference, controller: tei}}
""", "A span that says its own pod (`k8s.pod.name` on the server's span) needs no rule. `attribution policy "
     "check` says which rule takes no call, and an alert of the day which workload has no pod."),
    Section("serving[].workload", Workload),
    Section("pools[]", Pool, """\
pools:
  - name: nodes                                   # a cluster: to pods, to their operations, and idle
    match: {ServiceCategory: Compute, "Tags.aws:eks:cluster-name": "*"}
    split: opencost
    driver: active_time
    idle: {driver: active_time, within: node}
  - name: vectors                                 # by a usage report's metric `query_units`
    match: {ServiceName: Pinecone}
    driver: usage.query_units
  - name: licence                                 # by agreement
    match: {ServiceName: "Weights & Biases*"}
    driver: fixed
    fixed: {acme: 60, globex: 40}
  - name: support                                 # overhead, as the tenants' other costs
    match: {ServiceName: "AWS Support*"}
    component: overhead
    driver: cost
""", drivers()),
    Section("pools[].idle", Idle),
)  # fmt: skip

EVIDENCE_GAP = "evidence_gap: spread\n"

DEPLOYMENT_SECTIONS: Sequence[Section] = (
    Section("", Deployment, """\
storage: ./lake
first_day: 2026-10-01
policies: ./policies
sources:
  billing: [{name: main, uri: ./billing}]
  opencost: [{name: prod, cluster: prod, uri: ./opencost}]
  spans: [{name: traces, uri: "s3://telemetry/traces"}]
"""),
    Section("sources", Sources),
    Section("sources.billing[]", BillingSource),
    Section("sources.opencost[]", OpenCostSource),
    Section("sources.spans[]", SpanSource),
    Section("sources.kubernetes[]", TableSource, "", "`usage`, `reservations`, `outcomes`, `controls` and `closes` "
            "take the same keys."),
    Section("s3", S3, "s3: {endpoint: https://s3.example.com, region: eu-central-1}\n"),
    Section("compute", ComputeLimits, "compute: {threads: 4, memory_limit: 4GB}\n"),
    Section("spark", SparkEngine, "engine: spark\nspark: {remote: sc://spark-connect}\n"),
    Section("dagster", DagsterUi, "dagster: {base_url: https://dagster.example.com}\n"),
    Section("alerts[]", Channel, """\
alerts:
  - {name: on-call, url_env: ALERTS_URL, severities: [error]}
"""),
    Section("pull[]", PullEntry, """\
pull:
  - {name: opencost-prod, api: opencost, into: prod, endpoint: "http://opencost.opencost.svc:9003"}
"""),
    Section("pull[].limits", PullLimitsGiven),
)  # fmt: skip


def policy_file() -> str:
    """Every key of a policy."""
    parse_policy("".join(_examples(POLICY_SECTIONS)) + EVIDENCE_GAP, "the examples")
    _require_all(Policy, POLICY_SECTIONS)
    return "\n\n".join((
        "# The policy file",
        "One YAML file per version, in the folder that `policies` of the [deployment file]"
        "(deployment-file.md) names. Its name is free; what counts is `version`. Once a day is recorded "
        "under a version its file may not change any more (comments may): a change is a new file with "
        "another number. `attribution policy check FILE` says what is wrong, by line; `attribution policy "
        "diff 1 FILE --from DAY` what it would change. Keys that are not here are errors, and a key that "
        "is left out counts as its default. [A policy as its runbook](policy.md) says one in words; "
        "[Change a policy](../policy-change.md) goes through a change.",
        KIND_OF_VALUE.strip(),
        MATCHING.strip(),
        *_sections(POLICY_SECTIONS),
    )) + "\n"  # fmt: skip


def deployment_file() -> str:
    """Every key of the deployment file."""
    text = "".join(_examples(DEPLOYMENT_SECTIONS))
    validated(parse_document(text, "the examples"), Deployment, context={"folder": Path("/")})
    _require_all(Deployment, DEPLOYMENT_SECTIONS)
    return "\n\n".join((
        "# The deployment file",
        "`attribution.yaml`: where evidence, policies and tables are. A command takes `--config FILE`, else "
        "`$ATTRIBUTION_CONFIG`, else the file here. Relative paths start at the file's folder. Keys that are "
        "not here are errors. `attribution init DIR` writes one with comments; what it may say about money "
        "stands in [the policy](policy-file.md).",
        KIND_OF_VALUE.strip(),
        *_sections(DEPLOYMENT_SECTIONS),
    )) + "\n"  # fmt: skip


def _examples(sections: Iterable[Section]) -> Iterable[str]:
    return (section.example for section in sections)


def _sections(sections: Sequence[Section]) -> Iterable[str]:
    for section in sections:
        yield f"## `{section.name}`" if section.name else "## Top level"
        if section.name:
            yield file_reference.markdown(section.model.__doc__ or "")
        yield file_reference.table(section.name, section.model)
        if section.example:
            yield f"```yaml\n{section.example}```"
        if section.more:
            yield section.more


def _require_all(root: type[Strict], sections: Sequence[Section]) -> None:
    """Every model under ``root`` has a section."""
    shown = {section.model for section in sections}
    todo, seen = [root], set()
    while todo:
        model = todo.pop()
        seen.add(model)
        todo += [below for _, below in file_reference.submodels(model) if below not in seen]
    if seen != shown:
        names = sorted(model.__name__ for model in seen ^ shown)
        raise Broken(f"sections and models differ: {', '.join(names)}")
