-- Pods by name, wherever they ran, and what they cost by resource kind and node.
-- in:  pods (grain: cluster, node, namespace, pod); costs in 1e-5
-- out: pods_named (grain: cluster, namespace, pod), one order everywhere: ties between pods go by it
--      pod_kinds (grain: pod, node, kind), costs above zero
create table pods_named as
select row_number() over (order by cluster, namespace, pod) as pod_id, *
from (
    select cluster, namespace, pod,
           min(row_kind) as row_kind, min(controller_kind) as controller_kind,
           min(controller) as controller, sum(gpu_cost) > 0 as on_gpu,
           min(labels) as labels, min(annotations) as annotations,
           min(namespace_labels) as namespace_labels,
           min(namespace_annotations) as namespace_annotations
    from pods
    group by cluster, namespace, pod
);

create table pod_kinds as
select n.pod_id, k.cluster, k.node, k.kind, k.weight
from (
    select cluster, node, namespace, pod, 'cpu' as kind, cpu_cost as weight from pods
    union all
    select cluster, node, namespace, pod, 'gpu', gpu_cost from pods
    union all
    select cluster, node, namespace, pod, 'ram', ram_cost from pods
) k
join pods_named n on n.cluster = k.cluster and n.namespace = k.namespace and n.pod = k.pod
where k.weight > 0;
