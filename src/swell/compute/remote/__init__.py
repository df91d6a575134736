"""Attempts on machines we never see: told through an object store, run by a batch system."""
