-- Chains to look at: those that contradict themselves first, then those with a retry, then by digest.
-- in:  attempts (grain: operation), roots (grain: part; the chain that it belongs to)
-- out: grain: chain; at most {sample}, all_chains counts them all
select chain, operations, all_chains
from (
    select chain, operations, count(*) over () as all_chains,
           row_number() over (
               order by case when contradicts then 0 when retries then 1 else 2 end,
                        sha256(chain), chain) as place
    from (
        select coalesce(r.chain, a.part) as chain, count(*) as operations,
               count(distinct a.tenant_id) > 1 or count(distinct a.originator_id) > 1
                   or count(distinct a.workflow_id) > 1 or count(distinct a.operation_id) > 1
                   or count(distinct a.resolved_tenant_id) > 1
                   or count(distinct a.resolved_workflow_id) > 1
                   or coalesce(bool_or(a.tenant_id <> a.resolved_tenant_id
                       or a.workflow_id <> a.resolved_workflow_id
                       or a.originator_id <> a.resolved_originator_id), false)
                   or coalesce(bool_or(a.unverified or a.verdict not in ('verified', 'unsigned')),
                               false)
                   as contradicts,
               count(distinct a.trace_id) > 1 or coalesce(max(a.attempt), 0) >= 2 as retries
        from attempts a
        left join roots r on r.part = a.part
        group by coalesce(r.chain, a.part)
        having count(*) >= 2 or coalesce(max(a.attempt), 0) >= 2
    )
)
where place <= {sample}
order by place
