-- Rows that do not reach what they are computed from.
-- in:  ledger, operation_costs (newest state of each day); charges, known_operations, known_rules
--      (all states of each day, by the files that their manifests name)
-- out: one row a break: the ledger row, and what it does not reach
select billing_currency, provider, model, surface, charge_date, attribution_id, lacks
from (
    select l.billing_currency, l.provider, l.model, l.surface, l.charge_date, l.attribution_id,
           'its charge' as lacks
    from ledger l
    left join charges b on b.charge_date = l.charge_date and b.charge_id = l.charge_id
    where b.charge_id is null and (l.billed_cost <> 0 or l.effective_cost <> 0)
    union all
    select l.billing_currency, l.provider, l.model, l.surface, l.charge_date, l.attribution_id,
           'its policy or kernel'
    from ledger l
    left join known_rules k on k.charge_date = l.charge_date
        and k.policy_digest = l.policy_digest and k.kernel = l.kernel
    where k.policy_digest is null
    union all
    select l.billing_currency, l.provider, l.model, l.surface, l.charge_date, l.attribution_id,
           'an operation of its requests'
    from operation_costs c
    join ledger l on l.charge_date = c.charge_date and l.attribution_id = c.attribution_id
    left join known_operations o on o.charge_date = c.charge_date
        and o.operation_key = c.operation_key
    where o.operation_key is null and (c.billed_cost <> 0 or c.effective_cost <> 0)
    union all
    select l.billing_currency, l.provider, l.model, l.surface, l.charge_date, l.attribution_id,
           'its requests'
    from ledger l
    left join operation_costs c on c.charge_date = l.charge_date
        and c.attribution_id = l.attribution_id
    where l.basis = 'operations' and c.attribution_id is null
      and (l.billed_cost <> 0 or l.effective_cost <> 0)
)
order by billing_currency, provider, surface, model, charge_date, attribution_id, lacks
