"""The pages, a module each: from a place to what a template shows.

Belongs here: which question a page answers, in which order. Does not: queries (``asked``), HTML
(``templates``), HTTP (``app``).
"""
