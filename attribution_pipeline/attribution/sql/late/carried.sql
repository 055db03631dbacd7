-- Carried rows among the staged ones, added up as far as the bases of later phases tell them apart.
-- in:  carried (grain: row of recorded), recorded, actors, portions
-- out: rows of staged, of method 'carried'
insert into staged
select min(c.portion_id), 'carried', 'carried', 'carried', min(r.who_id), null, null, null,
       r.unallocated_reason, null, 'carried', null, null, null, null, null,
       cast({billed} as {int}), cast({effective} as {int})
from carried c
join recorded r on r.row_no = c.row_no
join portions p on p.portion_id = c.portion_id
where c.batch = {batch}
group by p.billing_account_id, p.billing_currency, p.charge_category, p.charge_class,
         r.tenant_id, r.unallocated_reason;
