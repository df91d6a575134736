"""Artifacts, items and logs over a Storage."""
