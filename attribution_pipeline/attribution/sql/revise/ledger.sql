-- Every row with its revision and its settlement.
-- in:  standing, before (grain: attribution_id), settled, settled_before (grain: charge)
-- out: changes (grain: attribution_id of either), revised_ledger (grain: attribution_id that
--      is supported)
create table settled_groups as
select issuer, account, billing_period, bool_and(is_settled) as is_settled
from settled group by issuer, account, billing_period;

-- a charge that is gone is as closed as its period
create table charge_settlement as
select charge_id, bool_and(is_settled) as is_settled, bool_or(was_settled) as was_settled
from (
    select s.charge_id, s.is_settled, coalesce(b.is_settled, g.is_settled, false) as was_settled
    from settled s
    left join settled_before b on b.charge_id = s.charge_id
    left join (
        select issuer, account, billing_period, bool_and(is_settled) as is_settled
        from settled_before group by issuer, account, billing_period
    ) g on g.issuer is not distinct from s.issuer and g.account is not distinct from s.account
        and g.billing_period = s.billing_period
    union all
    select b.charge_id, coalesce(g.is_settled, b.is_settled), b.is_settled
    from settled_before b
    left join settled_groups g on g.issuer is not distinct from b.issuer
        and g.account is not distinct from b.account and g.billing_period = b.billing_period
    where b.charge_id not in (select charge_id from settled)
)
group by charge_id;

create table changes as
select coalesce(s.attribution_id, b.attribution_id) as attribution_id,
       coalesce(s.charge_id, b.charge_id) as charge_id,
       s.attribution_id is null as is_gone,
       b.attribution_id is null as is_new,
       coalesce(b.billed_cost, 0) as old_billed_cost,
       coalesce(s.billed_cost, 0) as new_billed_cost,
       coalesce(b.effective_cost, 0) as old_effective_cost,
       coalesce(s.effective_cost, 0) as new_effective_cost,
       coalesce(s.billed_cost, 0) <> coalesce(b.billed_cost, 0)
           or coalesce(s.effective_cost, 0) <> coalesce(b.effective_cost, 0) as is_moved,
       coalesce(b.revision, 0) as old_revision, b.settlement as old_settlement,
       b.first_recorded_at, b.recorded_at
from standing s
full join before b on b.attribution_id = s.attribution_id;

create table revised_ledger as
select {revised_columns}
from standing s
join changes c on c.attribution_id = s.attribution_id
left join charge_settlement t on t.charge_id = s.charge_id;
