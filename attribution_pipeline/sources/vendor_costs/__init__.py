"""Costs and usage of a model vendor's own API as a bill: pages of JSON in, charge lines out.

Belongs here: OpenAI's organization costs and usage, Anthropic's cost and usage reports, in FOCUS
columns (docs/decisions/0019). Does not: asking for them (``sources.pull``), what a charge costs whom.

``deliveries`` says which files belong together; ``reader.read`` reads one: ``pages`` gives its
results with their windows, ``openai`` and ``anthropic`` the columns of each.
"""

from attribution_pipeline.sources.vendor_costs.deliveries import FORMATS, discover
from attribution_pipeline.sources.vendor_costs.reader import read

__all__ = ["FORMATS", "discover", "read"]
