-- What the gates noticed of the day's nodes and clusters; each row is a finding.
-- in:  doubts, node_identities, kept_nodes, nodes, gated_nodes, pods, rejected_allocations,
--      rejected_assets (see their passes)
-- out: check_name, severity, subject, detail
select check_name, 'error' as severity, coalesce(cluster, '') || '/' || name as subject,
       detail || ': its day is quarantined' as detail
from doubts
union all
select 'duplicate_node_identity', 'warn', coalesce(i.cluster, '') || '/' || i.name,
       'instance_type empty prices it at ' || cast(cast(i.empty_cost as decimal(28, 0)) * 0.00001 as varchar) || ', filled at '
       || cast(cast(i.filled_cost as decimal(28, 0)) * 0.00001 as varchar) || ': within 1 %, the filled one is kept'
from node_identities i
where i.empties > 0 and i.filled > 0
    and cast(abs(i.empty_cost - i.filled_cost) as hugeint) * 100 <= i.filled_cost
union all
select 'unknown_instance_type', 'warn', coalesce(cluster, ''),
       cast(count(*) as varchar) || ' nodes have no instance_type, first '
       || coalesce(min(name), '(no name)') || '; accepted'
from kept_nodes where instance_type = ''
group by coalesce(cluster, '')
union all
-- where every node of a cluster has the same provider id, it is no node's
select 'shared_provider_id', 'warn', p.cluster || '/' || p.provider_id,
       cast(p.names as varchar) || ' nodes have this provider id, ' || p.first_name || ' and ' || p.last_name
from (
    select cluster, provider_id, count(distinct name) as names,
           min(name) as first_name, max(name) as last_name
    from kept_nodes where provider_id is not null group by cluster, provider_id
) p
join (
    select cluster, count(distinct provider_id) as ids from kept_nodes group by cluster
) c on c.cluster = p.cluster
where p.names > 1 and c.ids > 1
union all
select 'rejected_' || rejected, 'warn',
       coalesce(cluster, '') || '/' || coalesce(node, '(no node)'),
       cast(count(*) as varchar) || ' ' || row_kind || ' rows can''t be used, first '
       || min(coalesce(namespace, '') || '/' || coalesce(pod, '') || '/' || coalesce(container, ''))
from rejected_allocations
where row_kind <> 'workload' or node is null or abs(cpu_cost) + abs(gpu_cost) + abs(ram_cost) = 0
group by coalesce(cluster, '') || '/' || coalesce(node, '(no node)'), rejected, row_kind
union all
select 'rejected_' || rejected, 'warn', coalesce(cluster, '') || '/' || coalesce(min(name), '(no name)'),
       cast(count(*) as varchar) || ' assets of type ' || asset_type || ' can''t be used'
from rejected_assets
where asset_type <> 'Node' or name is null
group by cluster, rejected, asset_type
union all
select 'pod_without_node', 'warn', coalesce(p.cluster, '') || '/' || coalesce(p.node, '(no node)'),
       cast(count(*) as varchar) || ' pods, first ' || min(coalesce(p.namespace, '') || '/' || coalesce(p.pod, ''))
       || ': OpenCost lists no asset for their node'
from pods p
left join nodes n on coalesce(n.cluster, '') = coalesce(p.cluster, '') and n.name = p.node
where n.name is null and p.row_kind = 'workload'
group by p.cluster, p.node
union all
select 'node_without_allocation', 'warn', n.cluster || '/' || n.name,
       'OpenCost has the node''s asset and neither a pod nor idle on it; all of it is idle here'
from nodes n
left join gated_nodes g on g.cluster = n.cluster and g.node = n.name
left join rejected_allocations r on r.cluster = n.cluster and r.node = n.name
where n.cluster is not null and g.node is null and r.node is null
    and n.cpu_cost + n.gpu_cost + n.ram_cost > 0
group by n.cluster, n.name
union all
select 'unpriced_node', 'warn', coalesce(cluster, '') || '/' || coalesce(name, '(no name)'), 'its asset costs nothing'
from kept_nodes
where component_cost = 0
union all
select 'gpu_unpriced', 'warn', coalesce(cluster, '') || '/' || coalesce(name, '(no name)'),
       'its ' || cast(gpu_hours as varchar) || ' thousandths of GPU-hours cost nothing'
from kept_nodes
where gpu_hours > 0 and gpu_cost = 0 and component_cost > 0
union all
select 'unit_scale_suspect', 'warn', coalesce(cluster, '') || '/' || instance_type,
       cast(count(case when off_scale then 1 end) as varchar) || ' of ' || cast(count(*) as varchar)
       || ' nodes cost less than a {scale}th of the dearest of their type by the core-hour, first '
       || min(case when off_scale then name end)
from nodes
group by coalesce(cluster, ''), instance_type
having count(case when off_scale then 1 end) > 0
union all
select 'unpriced_row', 'warn', coalesce(cluster, '') || '/' || coalesce(node, '(no node)'),
       cast(unpriced as varchar) || ' containers held resources and cost nothing, first ' || unpriced_first
from gated_nodes where unpriced > 0
union all
select 'usage_above_request', 'warn', coalesce(cluster, '') || '/' || coalesce(node, '(no node)'),
       cast(overused as varchar) || ' containers used more than twice what they are charged for, first '
       || overused_first
from gated_nodes where overused > 0
union all
select 'gpu_rate', 'warn', cluster || '/' || node,
       'a GPU-hour costs its pods up to ' || cast(coalesce(gpu_dearer, 0) as varchar) || ' times more or '
       || cast(coalesce(gpu_cheaper, 0) as varchar) || ' times less than it costs the node'
from gated_nodes
where (gpu_dearer >= 2 or gpu_cheaper >= 2)
    and coalesce(gpu_dearer, 0) < {scale} and coalesce(gpu_cheaper, 0) < {scale}
union all
-- tolerates one resolution of 5 minutes in a day
select 'gpu_over_allocated', 'warn', g.cluster || '/' || g.node,
       'its pods hold ' || cast(g.gpu_hours as varchar) || ' thousandths of GPU-hours, it has '
       || cast(n.gpu_hours as varchar)
from gated_nodes g
join (select cluster, name, max(gpu_hours) as gpu_hours from kept_nodes group by cluster, name) n
    on n.cluster = g.cluster and n.name = g.node
where g.gpu_hours * 288 > cast(n.gpu_hours as hugeint) * 289
union all
select 'over_allocated', 'warn', cluster || '/' || name,
       kind || ' of its pods costs ' || cast(cast(used as decimal(28, 0)) * 0.00001 as varchar) || ', the node''s '
       || cast(cast(cost as decimal(28, 0)) * 0.00001 as varchar) || '; idle is the signed difference'
from (
    select n.cluster, n.name, k.kind,
           case k.kind when 'cpu' then g.cpu_used when 'gpu' then g.gpu_used else g.ram_used end as used,
           case k.kind when 'cpu' then n.cpu_cost when 'gpu' then n.gpu_cost else n.ram_cost end as cost
    from nodes n
    join gated_nodes g on g.cluster = n.cluster and g.node = n.name and not n.quarantined
    cross join (select 'cpu' as kind union all select 'gpu' union all select 'ram') k
)
where cast(used as hugeint) * 100 > cast(cost as hugeint) * {over} and used - cost >= {worth}
union all
-- each row is rounded by at most half a unit of 1e-5, kind by kind; where a pod's cost is above the
-- node's, newer versions write idle as 0 (opencost/opencost#3393)
select 'node_tie_back', 'warn', cluster || '/' || name,
       'workload + idle differ from the node by ' || cast(cast(cpu_gap + gpu_gap + ram_gap as decimal(28, 0)) * 0.00001 as varchar)
       || ' over ' || cast(row_count as varchar) || ' rows'
from (
    select n.cluster, n.name, g.row_count,
           case when g.cpu_idle = 0 and g.cpu_used > n.cpu_cost then 0
                else g.cpu_used + g.cpu_idle - n.cpu_cost end as cpu_gap,
           case when g.gpu_idle = 0 and g.gpu_used > n.gpu_cost then 0
                else g.gpu_used + g.gpu_idle - n.gpu_cost end as gpu_gap,
           case when g.ram_idle = 0 and g.ram_used > n.ram_cost then 0
                else g.ram_used + g.ram_idle - n.ram_cost end as ram_gap
    from nodes n
    join gated_nodes g on g.cluster = n.cluster and g.node = n.name and not n.quarantined
)
where abs(cpu_gap + gpu_gap + ram_gap) * 2 > 3 * (row_count + 1)
union all
select 'cluster_mismatch', 'warn', coalesce(cluster, '(no cluster)'),
       case when assets = 0 then 'it has allocations and no assets' else 'it has assets and no allocations' end
       || ': one of the two answers is missing, or names the cluster otherwise'
from (
    select cluster, sum(assets) as assets, sum(allocations) as allocations
    from (
        select cluster, count(*) as assets, 0 as allocations from nodes group by cluster
        union all
        select cluster, 0, cast(sum(row_count) as bigint) from gated_nodes group by cluster
        union all
        select cluster, 0, count(*) from rejected_allocations group by cluster
    )
    group by cluster
)
where assets = 0 or allocations = 0
union all
select 'only_volumes', 'warn', coalesce(cluster, '(no cluster)'),
       'its volumes cost ' || cast(cast(sum(volume_cost) as decimal(28, 0)) * 0.00001 as varchar) || ', its cpu, memory and GPUs nothing'
from gated_nodes
group by cluster
having sum(volume_cost) > 0
    and sum(cpu_used + gpu_used + ram_used + abs(cpu_idle) + abs(gpu_idle) + abs(ram_idle)) = 0
union all
-- one resolution may be missing at each end of the day
select 'window_not_covered', 'warn', coalesce(cluster, '(no cluster)'),
       'its rows span ' || cast((epoch_us(max(last_end)) - epoch_us(min(first_start))) // 60000000 as varchar)
       || ' of 1440 minutes'
from gated_nodes
group by cluster
having epoch_us(max(last_end)) - epoch_us(min(first_start)) < {covered_us}
order by check_name, subject, detail
