"""Dagster's storage on a real Postgres, as in production."""
