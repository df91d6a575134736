"""The read-only view of runs for notebooks and scripts."""
