"""FOCUS billing exports, 1.0 to 1.4: CSV and Parquet in, charge lines out.

Belongs here: what real exports do to the FOCUS format, and how their files form deliveries. Does
not: what a charge costs whom, day cutting, which delivery stands (``attribution``).

``deliveries`` says which files are read and what they belong to; ``reader.read`` reads one of them:
``csv_file`` or ``parquet_file`` give columns, ``lines`` makes charge lines of them with ``columns``
(names), ``amounts``, ``instants``, ``text``, ``tags`` and ``extras``; ``split`` drops origin rows
that would count twice.
"""

from attribution_pipeline.sources.focus.deliveries import FORMATS, Deliveries, Held, discover
from attribution_pipeline.sources.focus.reader import read

__all__ = ["FORMATS", "Deliveries", "Held", "discover", "read"]
