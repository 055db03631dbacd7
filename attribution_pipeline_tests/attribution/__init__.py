"""The engine: what a day's evidence becomes."""
