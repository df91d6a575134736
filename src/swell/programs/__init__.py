"""Starts flow scripts from other programs and from notebooks, each run in its own process."""
