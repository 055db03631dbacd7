-- Volumes and load balancers with the pods behind them; they are not in the node.
-- in:  allocations (grain: container row; volumes, balancers: JSON lists of name and cost in 1e-5)
--      assets (grain: asset row)
-- out: volumes (grain: cluster, name, namespace, pod); provider_id: what the bill may call it
create table volumes as
select
    v.cluster, v.name, v.namespace, v.pod, v.row_kind, v.cost,
    coalesce(d.provider_id, v.name) as provider_id
from (
    select cluster, name, namespace, pod, min(row_kind) as row_kind, cast(sum(cost) as bigint) as cost
    from (
        select cluster, namespace, pod, row_kind,
               json_extract_string(item, '$.name') as name,
               cast(json_extract_string(item, '$.cost') as bigint) as cost
        from (
            select cluster, namespace, pod, row_kind, unnest(json_extract(volumes, '$[*]')) as item
            from allocations where volumes is not null and row_kind <> 'idle'
            union all
            select cluster, namespace, pod, row_kind, unnest(json_extract(balancers, '$[*]'))
            from allocations where balancers is not null and row_kind <> 'idle'
        )
    )
    group by cluster, name, namespace, pod
) v
left join (
    select cluster, name, min(provider_id) as provider_id from assets
    where asset_type in ('Disk', 'LoadBalancer') group by cluster, name
) d on d.cluster = v.cluster and d.name = v.name;
