"""Checkpoints: versioned, checksummed plain data."""
