"""The one place that names concrete stores and backends, and joins them into a run."""
