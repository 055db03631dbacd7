-- Which standing lines can give the day an amount.
-- in:  standing_lines (grain: one FOCUS row)
-- out: day_lines (same grain)
create table day_lines as
select *
from standing_lines
where start_us < {day_end_us}
  and (start_us >= {from_us} or (is_cut and end_us > {from_us}));
