-- Invariant 7 at request level: a tenant pays for calls that are believed to be its own, and for no
-- other. No row is good news; each row is a breach.
-- in:  ledger (grain: attribution_id), operation_costs (grain: attribution_id, operation),
--      ended_operations (grain: operation that ended on the day), held_back (charge_id: charges whose
--      rows a closed period keeps as they were)
-- out: invariant, subject, detail
select 'evidence' as invariant,
       coalesce(operation_key, trace_id || ':' || span_id) as subject,
       'tenant ' || tenant_id || ' on the verdict ' || verdict as detail
from ended_operations
where tenant_id is not null and verdict not in ('verified', 'unsigned')
union all
select distinct 'evidence', l.attribution_id,
       'tenant ' || coalesce(l.tenant_id, 'null') || ', reason ' || coalesce(l.unallocated_reason, 'null')
       || ', for a call of tenant ' || coalesce(o.tenant_id, 'null') || ' by ' || o.identity_source
       || ', ' || o.verdict
from operation_costs c
join ended_operations o on o.operation_number = c.operation_number
join ledger l on l.attribution_id = c.attribution_id
where l.charge_id not in (select charge_id from held_back)
    and (l.tenant_id is distinct from o.tenant_id
        or coalesce(l.unallocated_reason, '') <> case
            when o.tenant_id is not null then ''
            when o.identity_source = 'unknown' then 'identity_missing'
            else 'identity_unverified' end)
order by invariant, subject
