"""What the ledger can show for itself."""
