-- Gates over the day's cluster plane; each row is a finding.
-- in:  allocations, pods, nodes, mixed_nodes
-- out: check_name, severity, subject, detail
select 'duplicate_node_identity' as check_name,
       case when abs(empty_cost - filled_cost) * 100 > filled_cost then 'error' else 'warn' end as severity,
       cluster || '/' || name as subject,
       'instance_type empty prices it at ' || cast(empty_cost as varchar)
       || 'e-5, filled at ' || cast(filled_cost as varchar) || 'e-5'
       || case when abs(empty_cost - filled_cost) * 100 > filled_cost
               then ': its day is quarantined' else ': within 1 %, the filled one is kept' end as detail
from mixed_nodes
union all
select 'unknown_instance_type', 'warn', cluster || '/' || name, 'instance_type is empty; accepted'
from nodes where instance_type = ''
union all
select 'pod_without_node', 'warn', p.cluster || '/' || coalesce(p.node, '(no node)') || '/' || p.namespace || '/' || p.pod,
       'OpenCost lists the pod but no asset for its node'
from pods p
left join nodes n on n.cluster = p.cluster and n.name = p.node
where n.name is null and p.row_kind = 'workload'
union all
-- each row is rounded by at most half a unit of 1e-5, kind by kind
select 'node_tie_back', 'warn', n.cluster || '/' || n.name,
       'workload + idle differ from the node by ' || cast(a.cost - n.cpu_cost - n.gpu_cost - n.ram_cost as varchar)
       || 'e-5 over ' || cast(a.row_count as varchar) || ' rows'
from nodes n
join (
    select cluster, node, cast(sum(cpu_cost + gpu_cost + ram_cost) as bigint) as cost, count(*) as row_count
    from allocations group by cluster, node
) a on a.cluster = n.cluster and a.node = n.name
where abs(a.cost - n.cpu_cost - n.gpu_cost - n.ram_cost) * 2 > 3 * (a.row_count + 1)
order by check_name, subject
