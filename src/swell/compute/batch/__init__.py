"""AWS Batch: its API, what a queue can do, job definitions, submissions, ends and waits."""
