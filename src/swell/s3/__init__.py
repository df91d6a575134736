"""The user's own client for data in object stores: ``from swell import S3``."""
