"""The company's clusters: nodes, pods, and what each pod truly took of its node.

Belongs here: placement and requests, drawn once per company; costs as exact integers. Does not:
how OpenCost writes and rounds them (``opencost``), what a node is billed at (``charges``).

Costs are list dollars as OpenCost would compute them before it rounds, in whole units of
1 / COST_UNITS_PER_USD, so that shares are exact: prices are nano-USD per hour, a core is 1000 mCPU,
a GiB 1024 MiB, an hour 60 minutes, and COST_UNITS_PER_USD holds all of these divisors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attribution_pipeline.simulator.company import DEDICATED, TENANTS, WORKLOAD, WORKLOADS

if TYPE_CHECKING:
    import numpy as np

KINDS = ("cpu", "gpu", "ram")
DAY_MINUTES = 1440
_LCM = 7_680_000  # lcm(60 x 1000, 60 x 1024)
COST_UNITS_PER_USD = 10**9 * _LCM

GPU_CLUSTER = "gpu-prod"
APP_CLUSTER = "apps-prod"
INFERENCE = "inference"
UNKNOWN_NODE_RANK = 4
"""Which application node the fault ``unknown_node`` hides from OpenCost."""
DOUBLED_RANK, TWINNED_RANK, SCALED_RANK, MIXED_RANK = 2, 3, 5, 0
"""Which application nodes OpenCost tells twice at two prices, twice at one price, at another scale,
and with pods at another scale than their node. None of them the crowded one."""


@dataclass(frozen=True)
class Machine:
    """An EC2 instance type. Prices in nano-USD per core, GiB and GPU hour, on demand."""

    name: str
    cores: int
    gib: int
    gpus: int
    core_price: int
    gib_price: int
    gpu_price: int

    @property
    def hourly(self) -> int:
        """On-demand price of an hour in nano-USD."""
        return self.cores * self.core_price + self.gib * self.gib_price + self.gpus * self.gpu_price


P4D = Machine("p4d.24xlarge", 96, 1152, 8, 34_610_000, 4_410_000, 3_046_250_000)
G6E = Machine("g6e.12xlarge", 48, 384, 4, 38_210_000, 5_130_000, 1_672_300_000)
M7I = Machine("m7i.4xlarge", 16, 64, 0, 38_700_000, 4_425_000, 0)
C7I = Machine("c7i.8xlarge", 32, 64, 0, 36_900_000, 3_850_000, 0)


@dataclass(frozen=True)
class Node:
    """One EC2 instance in a cluster, up from minute ``first`` to ``end`` of every day."""

    cluster: str
    name: str
    instance_id: str
    zone: str
    machine: Machine
    discount: str  # of cpu and ram, as OpenCost's /assets says it
    committed_minutes: int  # of the day, under the savings plan
    first: int = 0
    end: int = DAY_MINUTES

    @property
    def minutes(self) -> int:
        return self.end - self.first

    @property
    def provider_id(self) -> str:
        return f"aws:///{self.zone}/{self.instance_id}"

    def cost(self) -> tuple[int, int, int]:
        """True list cost of the day by kind (cpu, gpu, ram)."""
        m = self.machine
        return _cost(self, m.cores * 1000, m.gpus * 1000, m.gib * 1024)


@dataclass(frozen=True)
class Container:
    """What a container holds: mCPU, thousandths of a GPU, MiB (max of request and usage)."""

    name: str
    mcpu: int
    mgpu: int
    mib: int


@dataclass
class Pod:
    """A pod that runs at the same minutes every day. ``workload`` -1: it calls no model."""

    name: str
    namespace: str
    controller: str
    controller_kind: str
    node: int
    workload: int = -1
    tenant: int = -1  # the one that it is dedicated to
    job: bool = False
    first: int = 0
    end: int = DAY_MINUTES
    containers: list[Container] = field(default_factory=list)

    def name_on(self, day_number: int) -> str:
        """Job pods get a new name every day."""
        return f"{self.name}-{29_000_000 + day_number}" if self.job else self.name

    @property
    def minutes(self) -> int:
        return self.end - self.first


def container_cost(node: Node, pod: Pod, container: Container) -> tuple[int, int, int]:
    """True list cost of the day by kind (cpu, gpu, ram), in 1 / COST_UNITS_PER_USD."""
    return _cost(node, container.mcpu, container.mgpu, container.mib, pod.minutes)


def _cost(
    node: Node, mcpu: int, mgpu: int, mib: int, minutes: int | None = None
) -> tuple[int, int, int]:
    m, t = node.machine, node.minutes if minutes is None else minutes
    return (
        m.core_price * mcpu * t * (_LCM // 60_000),
        m.gpu_price * mgpu * t * (_LCM // 60_000),
        m.gib_price * mib * t * (_LCM // 61_440),
    )


@dataclass
class Clusters:
    """Every node and pod, and which pods a call may come from or go to."""

    nodes: list[Node]
    pods: list[Pod]
    callers: list[list[int]]
    """By workload: the pods that its calls come from."""
    own: dict[tuple[int, int], list[int]]
    """By workload and dedicated tenant: pods of its own."""
    servers: dict[str, list[int]]
    """By serving workload: the pods that serve."""
    unknown_node: int
    """The node that the fault ``unknown_node`` hides."""
    silent_pod: int
    """The pod that the fault ``silent_pod`` silences."""
    app_nodes: tuple[int, ...] = ()
    """The application cluster's nodes of the common machine, in order."""

    def pods_of(self, node: int) -> list[int]:
        return [number for number, pod in enumerate(self.pods) if pod.node == node]


def build(rng: np.random.Generator, scale: int) -> Clusters:
    """The company's clusters; ``scale`` multiplies application and GPU nodes and replicas."""
    nodes = _nodes(rng, scale)
    pods: list[Pod] = []
    callers: list[list[int]] = [[] for _ in WORKLOADS]
    own: dict[tuple[int, int], list[int]] = {}
    servers: dict[str, list[int]] = {}
    apps = [n for n, node in enumerate(nodes) if node.machine is M7I]
    batch = [n for n, node in enumerate(nodes) if node.machine is C7I]
    placed = 0

    def place(pod: Pod) -> int:
        pods.append(pod)
        return len(pods) - 1

    def next_app_node() -> int:
        nonlocal placed
        placed += 1
        return apps[placed % len(apps)]

    for number, workload in enumerate(WORKLOADS):
        for replica in range(workload.replicas * (1 if workload.job else scale)):
            name = f"{workload.name}-{_suffix(rng)}"
            if workload.job:
                pod = Pod(name, workload.namespace, workload.name, "job",
                          batch[replica % len(batch)], number, job=True,
                          first=workload.job[0], end=workload.job[1])  # fmt: skip
            else:
                pod = Pod(name, workload.namespace, workload.name, "deployment", next_app_node(),
                          number)  # fmt: skip
            callers[number].append(place(pod))
    assistant = WORKLOAD["assistant-api"]
    for tenant_name in DEDICATED:
        tenant, namespace = TENANTS.index(tenant_name), f"tenant-{tenant_name}"
        app = Pod(f"assistant-{_suffix(rng)}", namespace, "assistant", "deployment",
                  next_app_node(), assistant, tenant)  # fmt: skip
        own[assistant, tenant] = [place(app)]
        place(Pod("cache-0", namespace, "cache", "statefulset", next_app_node(), tenant=tenant))
    for name in ("coredns", "coredns", "ingress-nginx", "ingress-nginx"):
        place(Pod(f"{name}-{_suffix(rng)}", "kube-system", name, "deployment", next_app_node()))
    _place_servers(rng, nodes, place, servers)
    for number, node in enumerate(nodes):
        place(Pod(f"otel-agent-{_suffix(rng)}", "monitoring", "otel-agent", "daemonset", number,
                  first=node.first, end=node.end))  # fmt: skip
    for number, node in enumerate(nodes):
        _request(rng, node, [pod for pod in pods if pod.node == number], number == apps[1])
    unknown = apps[UNKNOWN_NODE_RANK]
    silent = next(n for n in callers[WORKLOAD["agent-runner"]] if pods[n].node != unknown)
    return Clusters(nodes, pods, callers, own, servers, unknown, silent, tuple(apps))


def _nodes(rng: np.random.Generator, scale: int) -> list[Node]:
    plan: list[tuple[str, Machine, str, int]] = [(GPU_CLUSTER, P4D, "0", 3)]
    plan.append((GPU_CLUSTER, G6E, "0", 4 * scale))
    plan += [(APP_CLUSTER, M7I, "0.1", 6 * scale), (APP_CLUSTER, C7I, "0.1", 1)]
    nodes: list[Node] = []
    for cluster, machine, discount, count in plan:
        for rank in range(count):
            committed = 0
            if machine is P4D and rank < 2:
                committed = DAY_MINUTES
            elif machine is G6E and rank == 0:
                committed = DAY_MINUTES // 2
            window = (60, 420) if machine is C7I else (0, DAY_MINUTES)
            number = len(nodes)
            nodes.append(
                Node(
                    cluster, f"ip-10-{number // 250}-{number % 250}-17.eu-west-1.compute.internal",
                    f"i-0{rng.bytes(8).hex()}", f"eu-west-1{'abc'[number % 3]}", machine, discount,
                    committed, *window,
                )
            )  # fmt: skip
    return nodes


def _place_servers(rng, nodes, place, servers) -> None:  # type: ignore[no-untyped-def]
    """vLLM over the GPU nodes; three GPUs of one p4d stay idle."""
    g6e = [n for n, node in enumerate(nodes) if node.machine is G6E]
    p4d = [n for n, node in enumerate(nodes) if node.machine is P4D]
    wanted = [("vllm-llama-70b", n, 4) for n in g6e[::2]]
    wanted += [("vllm-qwen-32b", n, 2) for n in g6e[1::2] for _ in range(2)]
    wanted += [("vllm-llama-70b", n, 4) for n in p4d[1:] for _ in range(2)]
    wanted += [("vllm-qwen-32b", p4d[0], 4), ("tei-bge", p4d[0], 1)]
    for workload, node, gpus in wanted:
        pod = Pod(f"{workload}-{_suffix(rng)}", INFERENCE, workload, "deployment", node)
        pod.containers.append(Container("server", 0, gpus * 1000, 0))
        servers.setdefault(workload, []).append(place(pod))


def _request(rng, node: Node, pods: list[Pod], crowded: bool) -> None:  # type: ignore[no-untyped-def]
    """Requests so that a node is well used; the crowded one is over-allocated in cpu."""
    cpu_fill = 1.03 if crowded else rng.uniform(0.55, 0.9)
    ram_fill = rng.uniform(0.5, 0.9)
    weights = rng.uniform(0.5, 2.0, len(pods)) * [
        0.15 if p.namespace == "monitoring" else 1 for p in pods
    ]
    weights = weights / weights.sum()
    for pod, weight in zip(pods, weights, strict=True):
        mcpu = int(node.machine.cores * 1000 * cpu_fill * weight)
        mib = int(node.machine.gib * 1024 * ram_fill * weight)
        mgpu = sum(container.mgpu for container in pod.containers)
        name = pod.containers[0].name if pod.containers else "main"
        if pod.workload >= 0:
            side = Container("otel-sidecar", mcpu // 20, 0, mib // 25)
            pod.containers = [Container(name, mcpu - side.mcpu, mgpu, mib - side.mib), side]
        else:
            pod.containers = [Container(name, mcpu, mgpu, mib)]


def _suffix(rng: np.random.Generator) -> str:
    return rng.bytes(5).hex()
