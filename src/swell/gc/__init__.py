"""Cleaning and checking: what runs refer to, what nothing refers to, what is damaged."""
