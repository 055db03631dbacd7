"""Live sources: answers of APIs, kept as raw objects in a source's folder.

Belongs here: asking (windows, pages, retries, limits), where a request may go, keeping the bytes of
an answer. Does not: what an answer means. Landing reads what is kept here like anything else that
lies in the folder, so a day can be replayed from these bytes and the API is never asked again.

``address`` says where a connection may lead, ``transport`` fetches one answer within ``limits``,
``place`` keeps it; ``opencost``, ``vendor_costs`` and ``kubernetes`` know what to ask of whom,
``run`` does what the deployment file names.
"""
