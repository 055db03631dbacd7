-- A rung of several witnesses: it answers where they agree on the tenant, with what they agree on.
-- in:  witnesses (grain: origin, witness), {answers} (origin)
-- out: rows of {answers}. One who is not believed ends the ladder; two tenants are no answer
insert into {answers}
select origin, '{source}',
       case when bool_or(speaks = 'failed') then 'failed' else min(speaks) end,
       case when bool_or(speaks = 'failed') then min(case when speaks = 'failed' then verdict end)
            when count(distinct verdict) = 1 then min(verdict) else 'unsigned' end,
       {agreed}
from witnesses
where origin not in (select origin from {answers})
group by origin
having bool_or(speaks = 'failed') or count(distinct tenant_id) = 1;
