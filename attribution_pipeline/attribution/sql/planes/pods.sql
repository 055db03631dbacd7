-- Containers added up to pods; nodes with one identity and one price.
-- in:  allocations, assets (grain: container row, asset row of the day); costs in 1e-5
-- out: pods (grain: cluster, node, namespace, pod)
--      nodes (grain: cluster, name, provider_id); quarantined: two prices that disagree
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

create table priced_nodes as
select
    cluster, name, provider_id, coalesce(instance_type, '') as instance_type,
    max(cpu_cost) as cpu_cost, max(gpu_cost) as gpu_cost, max(ram_cost) as ram_cost,
    max(cpu_cost + gpu_cost + ram_cost) as component_cost
from assets
where asset_type = 'Node'
group by cluster, name, provider_id, coalesce(instance_type, '');

-- opencost/opencost#3620: the same node with an empty and a filled instance_type
create table mixed_nodes as
select
    cluster, name,
    min(case when instance_type = '' then component_cost end) as empty_cost,
    min(case when instance_type <> '' then component_cost end) as filled_cost
from priced_nodes
group by cluster, name
having count(*) > 1
    and count(case when instance_type = '' then 1 end) > 0
    and count(case when instance_type <> '' then 1 end) > 0;

create table nodes as
select
    p.cluster, p.name, p.provider_id, p.instance_type, p.cpu_cost, p.gpu_cost, p.ram_cost,
    m.name is not null and abs(m.empty_cost - m.filled_cost) * 100 > m.filled_cost as quarantined
from priced_nodes p
left join mixed_nodes m on m.cluster = p.cluster and m.name = p.name
where m.name is null or p.instance_type <> '';
