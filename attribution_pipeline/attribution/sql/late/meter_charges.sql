-- Metered charges as the ledger has them: tag sets added up.
-- in:  meter_portions (portion, slice), portions, assignments
-- out: meter_charges (grain: charge, slice), amounts in quanta; shapes: how many sets of columns its
--      portions have, of which a row keeps one
create table meter_charges as
select p.charge_id, mp.slice_id, min(p.portion_id) as portion_id, count(*) as portions,
       count(distinct concat_ws(chr(31), cast(p.assignment_id as varchar),
             cast(p.billing_period as varchar), coalesce(p.provider, chr(30)),
             coalesce(p.service, chr(30)), coalesce(p.billing_account_id, chr(30)),
             coalesce(p.sub_account_id, chr(30)), coalesce(p.resource_id, chr(30)),
             coalesce(p.region, chr(30)), coalesce(p.charge_category, chr(30)),
             coalesce(p.charge_class, chr(30)), coalesce(p.billing_currency, chr(30)))) as shapes,
       min(n.model) as model, min(n.token_kind) as token_kind,
       sum(p.billed) as billed, sum(p.effective) as effective
from meter_portions mp
join portions p on p.portion_id = mp.portion_id
join assignments n on n.assignment_id = p.assignment_id
group by p.charge_id, mp.slice_id;
