"""The page for people: one HTML file, no network, no script.

Belongs here: how the summary looks. Does not: its sums (``figures``), what is verified (``verify``):
the page says how to verify and proves nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from importlib.resources import files as resources
from typing import TYPE_CHECKING, Any

from attribution_pipeline.proof.packet import figures
from attribution_pipeline.proof.packet.figures import Line

if TYPE_CHECKING:
    from attribution_pipeline.proof.packet.build import Contents

Record = Mapping[str, Any]

SHOWN_DIGITS = 2
"""Of an amount in the tables; totals and files have all twelve."""
MOST_LINES = 12
"""Of one table; what is left is one line."""
WHOLE_PERCENT = 100


def page(about: Record, contents: Contents, completeness: Record) -> str:
    """The page, in full."""
    rows = figures.records(contents.files, contents.days, "rows")
    charges = figures.records(contents.files, contents.days, "charges")
    style = (
        resources("attribution_pipeline.proof.packet").joinpath("summary.css").read_text("utf-8")
    )
    tenant, metric = escape(about["tenant"]), contents.days[-1]["policy"]["metric"]
    body = "\n".join([
        _head(about, rows, metric),
        _split(
            _sums("By component", figures.by(rows, "component"), "What kind of cost it is.", metric),
            _sums("By leg", figures.by(rows, "leg"),
                  "own: a part of a division. idle: a part of what nobody used. "
                  "spread: a gap spread by policy.", metric),
            _sums("By confidence", figures.by(rows, "confidence"),
                  "metered: by tokens that the bill and the calls agree on. allocated: by another "
                  "driver. estimated: coverage outside its tolerance, or sampled.", metric),
        ),
        _split(
            _sums("By service", figures.by(rows, "service"), "As the bill names it.", metric),
            _sums("By workflow", figures.by(rows, "workflow_id"),
                  "(none): the row is known by tenant alone.", metric),
            _sums("Unallocated beside it", figures.unallocated(charges),
                  "What nobody has of the same charges, by reason. It is in no tenant's total.",
                  metric),
        ),
        _sums("By day", figures.by(rows, "charge_date"), "", metric, wide=True, in_order=True),
        _state(about, rows, _controls(contents)),
        _completeness(completeness),
        _verify(contents),
    ])  # fmt: skip
    title = f"Review packet: {tenant}, {about['from']} to {about['to']}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width">\n<style>\n{style}</style></head>\n'
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _head(about: Record, rows: Sequence[Record], metric: str) -> str:
    cards = "".join(
        f'<div class="card"><span>{escape(name)}</span><b>{_exact(total[cost])}</b>'
        f"<i>{escape(total['billing_currency'])}{' &middot; chargeback' if cost == metric else ''}"
        "</i></div>"
        for total in about["totals"]
        for cost, name in (("effective_cost", "Effective cost"), ("billed_cost", "Billed cost"))
    )
    days = len(about["days"])
    noun = "day" if days == 1 else "days"
    missing = about["days_without_a_recorded_state"]
    gap = f"; {missing} days of the period have no recorded state" if missing else ""
    return (
        f"<header><p>Review packet</p><h1>{escape(about['tenant'])}</h1>"
        f"<p>{about['from']} to {about['to']} &middot; {days} recorded {noun}{gap} &middot; "
        f"{len(rows):,} ledger rows &middot; issued {escape(about['issued_at'])}</p></header>"
        f'<section class="cards">{cards}</section>'
    )


def _split(*sections: str) -> str:
    return f'<div class="split">{"".join(sections)}</div>'


def _sums(
    title: str,
    lines: Sequence[Line],
    words: str,
    metric: str,
    *,
    wide: bool = False,
    in_order: bool = False,
) -> str:
    shown = sorted(lines, key=lambda line: line.name) if in_order else list(lines[:MOST_LINES])
    left = [] if in_order else lines[MOST_LINES:]
    if left:
        shown.append(
            Line(
                f"{len(left)} more",
                sum((one.billed for one in left), Decimal(0)),
                sum((one.effective for one in left), Decimal(0)),
                sum(one.rows for one in left),
            )
        )

    def value(line: Line) -> Decimal:
        return line.billed if metric == "billed_cost" else line.effective

    largest = max((abs(value(line)) for line in shown), default=Decimal(0)) or Decimal(1)
    body = "".join(
        f"<tr><td>{escape(line.name)}<div class='bar{' less' if value(line) < 0 else ''}' "
        f"style='width:{int(abs(value(line)) / largest * WHOLE_PERCENT)}%'></div></td>"
        f"<td class='n'>{_short(line.billed)}</td><td class='n'>{_short(line.effective)}</td></tr>"
        for line in shown
    )
    note = f"<p>{escape(words)}</p>" if words else ""
    body = body or "<tr><td colspan='3'>nothing</td></tr>"
    return (
        f"<section{' class=wide' if wide else ''}><h2>{escape(title)}</h2>{note}<table>"
        "<thead><tr><th></th><th class='n'>billed</th><th class='n'>effective</th></tr></thead>"
        f"<tbody>{body}</tbody></table></section>"
    )


def _controls(contents: Contents) -> str:
    found = json.loads(contents.files["controls.json"])
    if not found["records"]:
        return "Control plane of the period: none delivered."
    return f"Control plane of the period: {found['records']:,} records, {found['said']}."


def _state(about: Record, rows: Sequence[Record], controls: str) -> str:
    policies = {
        (day["policy"]["policy"], day["policy"]["version"]): day["policy"] for day in about["days"]
    }
    rules = "".join(
        f"<h3>{escape(str(name))}, version {version}</h3><p class='digest'>{policy['digest']}</p><ul>"
        + "".join(f"<li>{escape(line)}</li>" for line in policy["rules"])
        + "</ul>"
        for (name, version), policy in sorted(policies.items())
    )
    settlement = ", ".join(
        f"{count:,} {escape(word)}" for word, count in figures.counted(rows, "settlement")
    )
    changed = sum(row["revision"] > 1 for row in rows)
    held = sum(len(day["held"]) for day in about["days"])
    kept = f" {held:,} charges are held as they were when their period closed." if held else ""
    days = "".join(
        f"<tr><td>{day['day']}</td><td class='n'>{day['state']}</td>"
        f"<td>{escape(day['recorded_at'])}</td><td class='n'>{day['counts']['rows']:,}</td>"
        f"<td class='n'>{day['counts']['operations']:,}</td>"
        f"<td class='n'>{day['counts']['charges']:,}</td>"
        f"<td class='digest'>{day['manifest']['manifest_id'][:16]}</td></tr>"
        for day in about["days"]
    )
    return (
        f"<section class=wide><h2>Settlement</h2><p>{settlement or 'no rows'}. {changed:,} rows have "
        f"more than one revision.{kept}</p><table><thead><tr><th>day</th><th class='n'>state</th>"
        "<th>recorded</th><th class='n'>rows</th><th class='n'>operations</th>"
        "<th class='n'>charges</th><th>manifest</th></tr></thead>"
        f"<tbody>{days}</tbody></table></section>"
        f"<section class=wide><h2>Policy in force</h2><p>{escape(controls)}</p>{rules}</section>"
    )


def _completeness(found: Record) -> str:
    body = "".join(
        "<tr>"
        + f"<td>{escape(' / '.join(_route(one)))}</td>"
        + "".join(f"<td class='n'>{_share(one, name)}</td>" for name in _FIELDS)
        + "</tr>"
        for one in found["slices"]
    )
    heads = "".join(f"<th class='n'>{name}</th>" for name in _FIELDS)
    return (
        "<section class=wide><h2>Completeness of the slices</h2><p>Of the cost of each route slice "
        "in which the tenant has rows, over all tenants and what is unallocated: the share that "
        f"says who and what. Metric: {escape(found['metric'])}.</p><table><thead><tr><th>slice</th>"
        f"{heads}</tr></thead><tbody>{body}</tbody></table></section>"
    )


_FIELDS = ("tenant", "consumer", "principal", "workflow", "model", "usage")


def _route(one: Record) -> list[str]:
    words = (one.get(name) for name in ("provider", "model", "surface", "billing_currency"))
    return [word or "-" for word in words]


def _share(one: Record, name: str) -> str:
    total = Decimal(one["total"]["cost"])
    if not total:
        return "-"
    share = Decimal(one["having"][name]["cost"]) / total * WHOLE_PERCENT
    return f"{share + 0:.1f}%".replace("-0.0%", "0.0%")


def _verify(contents: Contents) -> str:
    tables = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(words)}</td></tr>"
        for name, words in FILES
    )
    return (
        "<section class=wide><h2>How to verify</h2><p>This page is a reading aid: it is in the list "
        "of signed files, and proves nothing by itself. The check needs the packet and the issuer's "
        "public key, which comes to you by another way than the packet; no network, no database.</p>"
        "<pre>attribution verify PACKET --key PUBLIC.pem</pre>"
        "<p>It checks the signature, every file's digest, that nothing is missing or extra, that "
        "charges, lines, rows and totals add up, and computes each row again from weights, "
        "denominators and amounts. Status 0: verified.</p>"
        "<p>Others are salted ids that mean nothing outside this packet. Amounts have twelve digits; "
        "a part is amount &times; weight / denominator, truncated toward zero, and what is left "
        "goes where the policy says.</p>"
        f"<table><thead><tr><th>file</th><th>what it holds</th></tr></thead><tbody>{tables}</tbody>"
        f"</table><p>{len(contents.files) + 1:,} files in this packet.</p></section>"
    )


FILES: Sequence[tuple[str, str]] = (
    ("statement.dsse.json", "the list of all files with size and sha256, signed"),
    ("packet.json", "tenant, period, totals, states of the days"),
    ("days/DAY/rows", "the tenant's ledger rows; revisions: every change of them"),
    ("days/DAY/charges", "charges that the tenant takes part in; lines: the bill's own lines"),
    ("days/DAY/divisions", "weights and denominators by which those charges were divided"),
    ("days/DAY/operations", "the calls behind the rows; request_costs: what each has of each row"),
    ("days/DAY/spans", "the trace export, as landed, without content; envelopes: signed identity"),
    ("days/DAY/usage", "the tenant's rows of usage reports"),
    ("days/DAY/manifest.json", "what the day was computed from, by digest"),
    ("policies/", "the policy's document"),
    ("completeness.json", "what is known of who caused cost, by route slice"),
    ("controls.jsonl.gz", "the control plane: hard-block list, shadow hits, overrides"),
)


def _short(value: Decimal) -> str:
    return f"{value:,.{SHOWN_DIGITS}f}"


def _exact(text: str) -> str:
    whole, _, digits = text.partition(".")
    return f"{int(whole):,}".replace(",", "&#8201;") + f".{digits[:2]}<small>{digits[2:]}</small>"
