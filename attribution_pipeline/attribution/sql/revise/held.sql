-- Charges of closed periods that the policy holds: their rows stay, what moved stands beside them.
-- in:  settled, settled_before (grain: charge; issuer, account, billing_period, is_settled)
--      ledger (grain: attribution_id), as computed; before (same grain), as recorded
-- out: held_charges (grain: charge), held_rows (grain: charge whose amount moved)
create table held_charges as
select distinct c.charge_id
from (
    select charge_id, issuer, account, billing_period from settled
    union
    select charge_id, issuer, account, billing_period from settled_before
) c
join (
    select issuer, account, billing_period from settled_before
    group by issuer, account, billing_period having bool_and(is_settled)
) b on b.issuer is not distinct from c.issuer and b.account is not distinct from c.account
    and b.billing_period = c.billing_period
-- a period that has been opened again holds nothing
where not exists (
    select 1 from settled s
    where s.issuer is not distinct from c.issuer and s.account is not distinct from c.account
        and s.billing_period = c.billing_period and not s.is_settled
);

create table held_rows as
select {attribution_id} as attribution_id, *
from (
    select charge_id, {charge_columns},
           sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
    from (
        select charge_id, {charge_columns_plain}, billed_cost, effective_cost from ledger
        union all
        select charge_id, {charge_columns_plain}, -billed_cost, -effective_cost from before
        where unallocated_reason is distinct from 'held'
    )
    where charge_id in (select charge_id from held_charges)
    group by charge_id
    having sum(billed_cost) <> 0 or sum(effective_cost) <> 0
);
