"""What runs in a container before the flow does: the standard library and this room only.

Everything here is valid for Python 3.8, so that an image with another version than the
flow's is told so instead of failing on syntax. Only ``loading`` runs on the user's machine.
"""
