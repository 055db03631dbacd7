-- What every roll-up says, and what one grain cannot carry.
-- in:  nothing
-- out: sums (grain: pair, side, line, tenant, service, currency). side: finer, named, coarser. A pair
--      agrees where finer and named add up to coarser
create table sums (
    pair varchar, side varchar, line varchar, tenant_id varchar, service varchar,
    billing_currency varchar, billed_cost decimal(38, 12), effective_cost decimal(38, 12)
);
