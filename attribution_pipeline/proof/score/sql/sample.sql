-- Operation-charges to derive again: the first of every slice by digest, so that nobody chooses them
-- and everybody who asks again gets the same. A day is settled when one account of it is: rows of
-- accounts that are still open are no sample of it.
-- in:  ledger (grain: attribution_id), operation_costs (grain: attribution_id, operation)
-- out: sample (grain: charge_date, attribution_id, operation); at most {most} a slice
create table sample as
select * exclude (place)
from (
    select l.billing_currency, l.provider, l.model, l.surface,
           c.charge_date, c.attribution_id, c.operation_key, c.billed_cost, c.effective_cost,
           row_number() over (
               partition by l.billing_currency, l.provider, l.model, l.surface
               order by sha256(concat_ws(chr(31), cast(c.charge_date as varchar),
                                         c.attribution_id, c.operation_key)),
                        c.attribution_id, c.operation_key) as place
    from operation_costs c
    join ledger l on l.charge_date = c.charge_date and l.attribution_id = c.attribution_id
    where (c.billed_cost <> 0 or c.effective_cost <> 0) and l.settlement <> 'provisional'
)
where place <= {most}
