-- Nodes whose day can't be divided by OpenCost's weights, and why; and all nodes as the engine takes
-- them.
-- in:  kept_nodes, node_identities, gated_nodes, rejected_allocations, rejected_assets
-- out: doubts (grain: cluster, name, check): each quarantines its node's day
--      nodes (grain: cluster, name, provider_id; costs in 1e-5)
--      off_scale: by {scale} or more below the dearest of its instance type, by the core-hour
create table doubts as
-- opencost/opencost#3620: an empty and a filled instance_type, prices apart by more than 1 %
select cluster, name, 'duplicate_node_identity' as check_name,
       'instance_type empty prices it at ' || cast(cast(empty_cost as decimal(28, 0)) * 0.00001 as varchar) || ', filled at '
       || cast(cast(filled_cost as decimal(28, 0)) * 0.00001 as varchar) as detail
from node_identities
where empties > 0 and filled > 0 and cast(abs(empty_cost - filled_cost) as hugeint) * 100 > filled_cost
union all
select cluster, name, 'several_node_identities',
       cast(count(*) as varchar) || ' provider ids or instance types under one name: '
       || min(coalesce(provider_id, '(none)') || ' ' || instance_type) || ', '
       || max(coalesce(provider_id, '(none)') || ' ' || instance_type)
from kept_nodes
group by cluster, name
having count(*) > 1
union all
-- opencost/opencost#3113: a scraped address in the place of a node's name
select distinct cluster, name, 'address_as_node_name', 'an address stands where the name of a node belongs'
from kept_nodes
where regexp_matches(name, ':[0-9]+$')
union all
select cluster, node, 'rejected_' || rejected,
       cast(count(*) as varchar) || ' rows of its workloads can''t be used, first '
       || min(coalesce(namespace, '') || '/' || coalesce(pod, '') || '/' || coalesce(container, ''))
from rejected_allocations
-- one that costs nothing is missed by nobody (opencost/opencost#4057)
where row_kind = 'workload' and node is not null
    and coalesce(abs(cpu_cost) + abs(gpu_cost) + abs(ram_cost), 1) > 0
group by cluster, node, rejected
union all
select cluster, name, 'rejected_' || rejected, 'its own asset can''t be used'
from rejected_assets
where asset_type = 'Node' and name is not null
group by cluster, name, rejected
union all
select cluster, node, 'mixed_unit_scale',
       'by the hour of a core, GiB or GPU its pods cost up to ' || cast(greatest(dearer, cheaper) as varchar)
       || case when dearer >= cheaper then ' times more' else ' times less' end || ' than it does'
from (
    select cluster, node,
           greatest(coalesce(cpu_dearer, 0), coalesce(gpu_dearer, 0), coalesce(ram_dearer, 0)) as dearer,
           greatest(coalesce(cpu_cheaper, 0), coalesce(gpu_cheaper, 0), coalesce(ram_cheaper, 0)) as cheaper
    from gated_nodes
)
where dearer >= {scale} or cheaper >= {scale};

create table nodes as
select
    k.cluster, k.name, k.provider_id, k.instance_type, k.cpu_cost, k.gpu_cost, k.ram_cost,
    d.name is not null as quarantined,
    coalesce(
        cast(k.component_cost as hugeint) * 1000 // k.cpu_hours * {scale}
        <= max(case when k.cpu_hours > 0 then cast(k.component_cost as hugeint) * 1000 // k.cpu_hours end)
           over (partition by coalesce(k.cluster, ''), k.instance_type),
        false
    ) and k.cpu_hours > 0 and k.instance_type <> '' as off_scale
from (
    select * replace (nullif(cpu_hours, 0) as cpu_hours) from kept_nodes
) k
left join (select distinct coalesce(cluster, '') as cluster, name from doubts) d
    on d.cluster = coalesce(k.cluster, '') and d.name = k.name
union all
-- a node of which nothing else is known is still one, or its charge would look like nobody's
select cluster, name, provider_id, coalesce(min(instance_type), ''), 0, 0, 0, true, false
from rejected_assets
where asset_type = 'Node' and name is not null
    and coalesce(cluster, '') || '/' || name not in (
        select coalesce(cluster, '') || '/' || name from kept_nodes where name is not null)
group by cluster, name, provider_id;
