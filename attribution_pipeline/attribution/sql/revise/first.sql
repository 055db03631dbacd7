-- The first state of a day: which charges are closed, and tables that have nothing to say yet.
-- in:  settled (grain: charge; is_settled), ledger (grain: attribution_id)
-- out: closed_charges (grain: charge); held_charges, variances, ledger_revisions: empty
create table closed_charges as
select charge_id from settled group by charge_id having bool_and(is_settled);

create table held_charges (charge_id varchar);

create table variances as
select *, billed_cost as held_billed_cost, effective_cost as held_effective_cost
from ledger where false;

create table ledger_revisions (attribution_id varchar);
