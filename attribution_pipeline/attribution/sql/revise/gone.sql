-- Rows without support stay, at zero.
-- in:  before, changes (grain: attribution_id), charge_settlement (charge)
-- out: rows of revised_ledger (grain: attribution_id)
insert into revised_ledger
select {gone_columns}
from before s
join changes c on c.attribution_id = s.attribution_id
left join charge_settlement t on t.charge_id = s.charge_id
where c.is_gone;
