-- A ledger held against the truth of the simulator, for each cost on its own.
-- in:  ledger (grain: attribution_id), truth (grain: charge x cause x tenant x workflow),
--      bounds (grain: charge); amounts DECIMAL(38,12), never added across costs or currencies
-- out: tie_out, wrong_tenant, on_cause, reasons, held_apart (grain of each: one charge and what it
--      is named by); charge_bounds (grain: charge); wrong_over_days (grain: charge of all days).
--      "Charge" is the key that truth and ledger share, "meter" the same without its day.

create table said as
select 'billed_cost' as cost, billing_currency as currency, {charge_of_ledger} as charge, {meter_of_ledger} as meter, tenant_id,
       workflow_id, component, confidence, unallocated_reason as reason, billed_cost as amount
from ledger
union all
select 'effective_cost', billing_currency, {charge_of_ledger}, {meter_of_ledger}, tenant_id, workflow_id, component,
       confidence, unallocated_reason, effective_cost
from ledger;

create table caused as
select 'billed_cost' as cost, billing_currency as currency, {charge_of_truth} as charge, {meter_of_truth} as meter, tenant_id,
       workflow_id, cause, knowable, expected_reason as reason, billed_cost as amount
from truth
union all
select 'effective_cost', billing_currency, {charge_of_truth}, {meter_of_truth}, tenant_id, workflow_id, cause,
       knowable, expected_reason, effective_cost
from truth;

create table charge_bounds as
select cost, currency, charge, sum(amount) as bound
from (
    select 'billed_cost' as cost, billing_currency as currency, {charge_of_truth} as charge,
           billed_cost as amount
    from bounds
    union all
    select 'effective_cost', billing_currency, {charge_of_truth}, effective_cost from bounds
)
group by all;

-- every charge sums to what was billed
create table tie_out as
select coalesce(s.cost, c.cost) as cost, coalesce(s.currency, c.currency) as currency,
       coalesce(s.charge, c.charge) as charge,
       coalesce(s.amount, 0) as said, coalesce(c.amount, 0) as caused
from (select cost, currency, charge, sum(amount) as amount from said group by all) s
full join (select cost, currency, charge, sum(amount) as amount from caused group by all) c
    on c.cost = s.cost and c.currency = s.currency and c.charge = s.charge;

-- what stands on a tenant beyond what it caused of the charge; credit-like charges turned round.
-- Where rows of one tenant and charge differ in confidence, the surest lay claim to the truth first.
create table signs as
select cost, currency, charge, case when said < 0 then -1 else 1 end as sign from tie_out;

create table wrong_tenant as
select cost, currency, charge, confidence, sum(wrong) as wrong
from (
    select l.cost, l.currency, l.charge, l.confidence,
           l.turned
           + greatest(l.running - coalesce(t.amount, 0), 0)
           - greatest(l.running - l.amount - coalesce(t.amount, 0), 0) as wrong
    from (
        select *, sum(amount) over (
            partition by cost, currency, charge, tenant_id
            order by case confidence when 'metered' then 0 when 'allocated' then 1 else 2 end,
                     confidence
            rows unbounded preceding) as running
        from (
            select s.cost, s.currency, s.charge, s.tenant_id, s.confidence,
                   sum(greatest(s.amount * g.sign, 0)) as amount,
                   sum(greatest(-s.amount * g.sign, 0)) as turned
            from said s
            join signs g on g.cost = s.cost and g.currency = s.currency and g.charge = s.charge
            where s.tenant_id is not null and s.component in ({own_components})
            group by all
        )
    ) l
    left join (
        select c.cost, c.currency, c.charge, c.tenant_id,
               greatest(sum(c.amount * g.sign), 0) as amount
        from caused c
        join signs g on g.cost = c.cost and g.currency = c.currency and g.charge = c.charge
        where c.tenant_id is not null
        group by all
    ) t on t.cost = l.cost and t.currency = l.currency and t.charge = l.charge
        and t.tenant_id = l.tenant_id
)
group by all
having sum(wrong) > 0;

-- metered cost that stands on a tenant beyond what it caused of a meter on all days together: what a
-- wrong clock takes to another day is still on its own tenant
create table wrong_over_days as
select cost, currency, meter,
       -- a part of the wrong sign is wrong in full
       sum(greatest(amount - greatest(true_amount, 0), 0) + greatest(-amount, 0)) as wrong
from (
    select l.cost, l.currency, l.meter, l.tenant_id,
           case when m.amount < 0 then -l.amount else l.amount end as amount,
           case when m.amount < 0 then -coalesce(t.amount, 0) else coalesce(t.amount, 0) end
               as true_amount
    from (
        select cost, currency, meter, tenant_id, sum(amount) as amount
        from said
        where tenant_id is not null and confidence = 'metered' and component in ({own_components})
        group by all
    ) l
    join (select cost, currency, meter, sum(amount) as amount from said group by all) m
        on m.cost = l.cost and m.currency = l.currency and m.meter = l.meter
    left join (
        select cost, currency, meter, tenant_id, sum(amount) as amount
        from caused where tenant_id is not null group by all
    ) t on t.cost = l.cost and t.currency = l.currency and t.meter = l.meter
        and t.tenant_id = l.tenant_id
)
group by all
having sum(greatest(amount - greatest(true_amount, 0), 0) + greatest(-amount, 0)) > 0;

-- knowable cost that stands on its own tenant and workflow
create table on_cause as
select c.cost, c.currency, c.charge, sum(abs(c.amount)) as knowable,
       sum(case when sign(c.amount) = sign(s.amount)
                then least(abs(c.amount), abs(s.amount)) else 0 end) as found
from (
    select cost, currency, charge, tenant_id, workflow_id, sum(amount) as amount
    from caused where knowable group by all
) c
left join (
    select cost, currency, charge, tenant_id, workflow_id, sum(amount) as amount
    from said where component in ({own_components}) and tenant_id is not null group by all
) s on s.cost = c.cost and s.currency = c.currency and s.charge = c.charge
    and s.tenant_id = c.tenant_id
    and coalesce(s.workflow_id, '') = coalesce(c.workflow_id, '')
group by all;

-- what stays unallocated, against the reason that truth expects
create table reasons as
select coalesce(s.cost, c.cost) as cost, coalesce(s.currency, c.currency) as currency,
       coalesce(s.charge, c.charge) as charge, coalesce(s.reason, c.reason) as reason,
       coalesce(s.amount, 0) as said, coalesce(c.amount, 0) as expected
from (
    select cost, currency, charge, reason, sum(amount) as amount
    from said
    where reason is not null
      and (component in ({own_components})
           or component = 'idle' and reason = 'unused_commitment')
    group by all
) s
full join (
    select cost, currency, charge, reason, sum(amount) as amount
    from caused where reason is not null group by all
) c on c.cost = s.cost and c.currency = s.currency and c.charge = s.charge
    and c.reason = s.reason;

-- idle and overhead have no knowable cause: they are only held apart from what has one
create table held_apart as
select coalesce(s.cost, c.cost) as cost, coalesce(s.currency, c.currency) as currency,
       coalesce(s.charge, c.charge) as charge, coalesce(s.component, c.component) as component,
       coalesce(s.amount, 0) as said, coalesce(c.amount, 0) as caused
from (
    select cost, currency, charge, component, sum(amount) as amount
    from said where component in ('idle', 'overhead') group by all
) s
full join (
    select cost, currency, charge,
           case when cause = 'overhead' then 'overhead' else 'idle' end as component,
           sum(amount) as amount
    from caused where cause in ('idle', 'commitment', 'overhead') group by all
) c on c.cost = s.cost and c.currency = s.currency and c.charge = s.charge
    and c.component = s.component
