"""Contract suites and fakes for authors of stores and backends."""
