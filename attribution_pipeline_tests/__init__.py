"""Statements about the ledger, one folder per layer."""
