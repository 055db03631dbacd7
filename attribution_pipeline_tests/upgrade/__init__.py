"""Lakes of every version that was ever written, opened by this one."""
