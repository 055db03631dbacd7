-- Rows of pods: over their operations, to a dedicated workload's tenant, or open.
-- in:  shares (amount, operation), pod_amounts, pod_totals, pods_numbered, ops, actors
-- out: rows of staged and staged_operations
insert into staged_operations
select a.portion_id, s.member, 'workload', null, cast(sum(s.weight) as bigint),
       cast(sum(s.billed) as {int}), cast(sum(s.effective) as {int})
from shares s
join pod_amounts a on a.amount_id = s.amount_id
group by a.portion_id, s.member
having sum(s.billed) <> 0 or sum(s.effective) <> 0;

insert into staged
select a.portion_id, 'workload', 'own', 'operations', o.who_id, o.operation_name, o.model, null,
       w.reason, w.reason,
       'node', '{driver}', cast(sum(s.weight) as hugeint), cast(sum(s.total) as hugeint), '{unit}',
       case when w.tenant_id is null then 'unallocated'
            when bool_or(o.estimated) then 'estimated' else 'allocated' end,
       cast(sum(s.billed) as {int}), cast(sum(s.effective) as {int})
from shares s
join pod_amounts a on a.amount_id = s.amount_id
join ops o on o.op_id = s.member
join actors w on w.who_id = o.who_id
group by a.portion_id, o.who_id, w.tenant_id, w.reason, o.operation_name, o.model;

insert into staged
select a.portion_id, 'workload',
       case when p.tenant_who_id is not null then 'own' else 'open' end,
       case when p.tenant_who_id is not null then 'workload' else 'none' end,
       coalesce(p.tenant_who_id, 1), null, null, null,
       case when p.tenant_who_id is not null then null
            when p.row_kind = 'unmounted' then 'unmounted' else 'no_operation_evidence' end,
       case when p.tenant_who_id is not null then null
            when p.row_kind = 'unmounted' then 'unmounted' else 'no_operation_evidence' end,
       -- which label named the tenant
       'node', min(p.label_source), null, null, null,
       case when p.tenant_who_id is not null then 'allocated' else 'unallocated' end,
       cast(sum(a.billed) as {int}), cast(sum(a.effective) as {int})
from (
    select a.portion_id, a.billed, a.effective, a.pod_id
    from pod_amounts a
    left join pod_totals t on t.pod_id = a.pod_id
    where coalesce(t.total, 0) = 0
) a
join pods_numbered p on p.pod_id = a.pod_id
group by a.portion_id, p.tenant_who_id, p.row_kind;
