"""Decides what a run does next; `state`, `resume` and `retry` are pure."""
