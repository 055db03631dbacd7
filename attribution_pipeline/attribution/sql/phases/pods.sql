-- Which operations each pod worked for: those that it served, else those that called from it.
-- in:  pods_numbered (grain: cluster, node, namespace, pod), ops, served_by_map (op_id, pod_id)
-- out: pod_operations (grain: pod, operation)
create table named_once as
select namespace, pod, min(cluster) as cluster
from pods_numbered
group by namespace, pod
having count(distinct cluster) = 1;

create table served as
select distinct p.pod_id, o.op_id
from (
    select o.op_id, coalesce(o.serving_cluster, n.cluster) as cluster,
           o.serving_namespace as namespace, o.serving_pod as pod
    from ops o
    left join named_once n on n.namespace = o.serving_namespace and n.pod = o.serving_pod
    where o.serving_pod is not null
) o
join pods_numbered p on p.cluster = o.cluster and p.namespace = o.namespace and p.pod = o.pod
union
select pod_id, op_id from served_by_map;

create table called as
select distinct p.pod_id, o.op_id
from (
    select o.op_id, coalesce(o.caller_cluster, n.cluster) as cluster,
           o.caller_namespace as namespace, o.caller_pod as pod
    from ops o
    left join named_once n on n.namespace = o.caller_namespace and n.pod = o.caller_pod
    where o.caller_pod is not null
) o
join pods_numbered p on p.cluster = o.cluster and p.namespace = o.namespace and p.pod = o.pod
where not exists (select 1 from served s where s.pod_id = p.pod_id);

create table pod_operations as
select pod_id, op_id from served
union all
select pod_id, op_id from called;
