"""Statements about this layer."""
