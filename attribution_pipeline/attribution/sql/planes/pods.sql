-- Containers added up to pods; every identity and price that the day's nodes appear under.
-- in:  allocations, assets (grain: container row, asset row of the day); costs in 1e-5
-- out: pods (grain: cluster, node, namespace, pod)
--      node_prices (grain: cluster, name, provider_id, instance_type)
--      node_identities (grain: cluster, name): how many, and what they cost
--      kept_nodes (grain as node_prices): of an empty and a filled instance_type the filled one
create table pods as
select
    cluster, node, namespace, pod,
    min(provider_id) as provider_id,
    min(row_kind) as row_kind,
    min(controller_kind) as controller_kind,
    min(controller) as controller,
    cast(sum(cpu_cost) as bigint) as cpu_cost,
    cast(sum(gpu_cost) as bigint) as gpu_cost,
    cast(sum(ram_cost) as bigint) as ram_cost,
    min(labels) as labels,
    min(annotations) as annotations,
    min(namespace_labels) as namespace_labels,
    min(namespace_annotations) as namespace_annotations
from allocations
where row_kind <> 'idle'
group by cluster, node, namespace, pod;

create table node_prices as
select
    cluster, name, provider_id, coalesce(instance_type, '') as instance_type,
    max(cpu_cost) as cpu_cost, max(gpu_cost) as gpu_cost, max(ram_cost) as ram_cost,
    max(cpu_cost + gpu_cost + ram_cost) as component_cost,
    max(cpu_millicore_hours) as cpu_hours, max(gpu_milli_hours) as gpu_hours,
    max(ram_mib_hours) as ram_hours
from assets
where asset_type = 'Node'
group by cluster, name, provider_id, coalesce(instance_type, '');

create table node_identities as
select
    cluster, name,
    count(case when instance_type = '' then 1 end) as empties,
    count(case when instance_type <> '' then 1 end) as filled,
    min(case when instance_type = '' then component_cost end) as empty_cost,
    min(case when instance_type <> '' then component_cost end) as filled_cost
from node_prices
group by cluster, name;

create table kept_nodes as
select p.*
from node_prices p
left join node_identities i
    on i.cluster = p.cluster and i.name = p.name and i.empties > 0 and i.filled > 0
where i.name is null or p.instance_type <> '';
