"""The made-up company: what it writes, and that its truth is true."""
