"""Runs one attempt of one task inside its own process."""
