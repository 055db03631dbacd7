"""Keeping a deployment: metrics, logs, pruning, copies."""
