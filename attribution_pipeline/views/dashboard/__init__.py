"""The dashboard: one web app on the lake, read-only, for people who click rather than query.

Belongs here: pages, their tables and plots, the server. Does not: what rows mean (``model``), sums of
the views (``views.spend``, ``views.explain``, ``views.reservations``), Dagster (links only).

Every page is a GET whose URL says all there is to say: what is shown can be shared, opened beside
another, and left by the browser's back button. Pages are made on the server and escaped by the
template engine; a browser gets plain HTML, one style sheet and one small script, all from here
(docs/decisions/0018).

Reading order: ``place`` (the URL), ``books`` (what is read), ``sheets`` (tables and their tails),
``plots``, ``pages`` (a module a page), ``app`` (routes), ``serving``.
"""
