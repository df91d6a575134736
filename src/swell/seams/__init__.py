"""Protocols between floors; no behaviour, no imports beyond model."""
