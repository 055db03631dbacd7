-- The allocation table read once for all gates: what each node's rows add up to, and how their
-- prices compare with the node's own.
-- in:  allocations (grain: container row), kept_nodes; costs in 1e-5, hours in thousandths and MiB
-- out: gated_nodes (grain: cluster, node; node is null for rows that name none)
--      *_dearer, *_cheaper: the farthest that a row's price is above or below its node's, in whole
--      multiples, of rows worth at least {worth} at either price
create table gated_nodes as
select
    a.cluster, a.node,
    count(*) as row_count,
    count(case when a.row_kind = 'workload' then 1 end) as workloads,
    cast(sum(case when a.row_kind = 'idle' then 0 else a.cpu_cost end) as bigint) as cpu_used,
    cast(sum(case when a.row_kind = 'idle' then 0 else a.gpu_cost end) as bigint) as gpu_used,
    cast(sum(case when a.row_kind = 'idle' then 0 else a.ram_cost end) as bigint) as ram_used,
    cast(sum(case when a.row_kind = 'idle' then a.cpu_cost else 0 end) as bigint) as cpu_idle,
    cast(sum(case when a.row_kind = 'idle' then a.gpu_cost else 0 end) as bigint) as gpu_idle,
    cast(sum(case when a.row_kind = 'idle' then a.ram_cost else 0 end) as bigint) as ram_idle,
    cast(sum(coalesce(a.pv_cost, 0)) as bigint) as volume_cost,
    cast(sum(case when a.row_kind = 'workload' then a.gpu_milli_hours end) as hugeint) as gpu_hours,
    min(a.started_at) as first_start, max(a.ended_at) as last_end,
    max(case when a.row_kind = 'workload' and a.cpu_cost > 0 and a.cpu_hours > 0 and n.cpu_cost > 0
              and (a.cpu_cost >= {worth} or n.cpu_cost * a.cpu_hours >= {worth} * n.cpu_hours)
             then (a.cpu_cost * n.cpu_hours) // (n.cpu_cost * a.cpu_hours) end) as cpu_dearer,
    max(case when a.row_kind = 'workload' and a.cpu_cost > 0 and a.cpu_hours > 0 and n.cpu_hours > 0
              and (a.cpu_cost >= {worth} or n.cpu_cost * a.cpu_hours >= {worth} * n.cpu_hours)
             then (n.cpu_cost * a.cpu_hours) // (a.cpu_cost * n.cpu_hours) end) as cpu_cheaper,
    max(case when a.row_kind = 'workload' and a.gpu_cost > 0 and a.gpu_hours > 0 and n.gpu_cost > 0
              and (a.gpu_cost >= {worth} or n.gpu_cost * a.gpu_hours >= {worth} * n.gpu_hours)
             then (a.gpu_cost * n.gpu_hours) // (n.gpu_cost * a.gpu_hours) end) as gpu_dearer,
    max(case when a.row_kind = 'workload' and a.gpu_cost > 0 and a.gpu_hours > 0 and n.gpu_hours > 0
              and (a.gpu_cost >= {worth} or n.gpu_cost * a.gpu_hours >= {worth} * n.gpu_hours)
             then (n.gpu_cost * a.gpu_hours) // (a.gpu_cost * n.gpu_hours) end) as gpu_cheaper,
    max(case when a.row_kind = 'workload' and a.ram_cost > 0 and a.ram_hours > 0 and n.ram_cost > 0
              and (a.ram_cost >= {worth} or n.ram_cost * a.ram_hours >= {worth} * n.ram_hours)
             then (a.ram_cost * n.ram_hours) // (n.ram_cost * a.ram_hours) end) as ram_dearer,
    max(case when a.row_kind = 'workload' and a.ram_cost > 0 and a.ram_hours > 0 and n.ram_hours > 0
              and (a.ram_cost >= {worth} or n.ram_cost * a.ram_hours >= {worth} * n.ram_hours)
             then (n.ram_cost * a.ram_hours) // (a.ram_cost * n.ram_hours) end) as ram_cheaper,
    count(case when a.is_unpriced then 1 end) as unpriced,
    min(case when a.is_unpriced then a.named end) as unpriced_first,
    count(case when a.is_overused then 1 end) as overused,
    min(case when a.is_overused then a.named end) as overused_first,
    min(case when a.row_kind = 'workload' then a.named end) as workload_first
from (
    select cluster, node, row_kind, cpu_cost, gpu_cost, ram_cost, pv_cost, started_at, ended_at,
           gpu_milli_hours,
           cast(cpu_millicore_hours as hugeint) as cpu_hours,
           cast(gpu_milli_hours as hugeint) as gpu_hours,
           cast(ram_mib_hours as hugeint) as ram_hours,
           coalesce(namespace, '') || '/' || coalesce(pod, '') || '/' || coalesce(container, '') as named,
           -- a tenth of a core, a GiB or a GPU for an hour costs hundreds of units of 1e-5
           row_kind = 'workload' and cpu_cost + gpu_cost + ram_cost = 0
               and (coalesce(cpu_millicore_hours, 0) >= 100 or coalesce(ram_mib_hours, 0) >= 1024
                    or coalesce(gpu_milli_hours, 0) >= 100) as is_unpriced,
           -- charged hours of the run, against twice as much in use; below a tenth of a core, or
           -- 256 MiB, averages are noise
           row_kind = 'workload' and (
               (cpu_millicore_usage >= 100 and cast(cpu_millicore_usage as hugeint)
                   * (epoch_us(ended_at) - epoch_us(started_at)) > 2 * 3600000000 * cast(cpu_millicore_hours as hugeint))
               or (ram_mib_usage >= 256 and cast(ram_mib_usage as hugeint)
                   * (epoch_us(ended_at) - epoch_us(started_at)) > 2 * 3600000000 * cast(ram_mib_hours as hugeint))
           ) as is_overused
    from allocations
) a
left join (
    select cluster, name, max(cpu_cost) as cpu_cost, max(gpu_cost) as gpu_cost, max(ram_cost) as ram_cost,
           cast(max(cpu_hours) as hugeint) as cpu_hours, cast(max(gpu_hours) as hugeint) as gpu_hours,
           cast(max(ram_hours) as hugeint) as ram_hours
    from kept_nodes group by cluster, name
) n on n.cluster = a.cluster and n.name = a.node
group by a.cluster, a.node;
