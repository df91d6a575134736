"""An offline AWS Batch, S3 and CloudWatch Logs; never meets the client that talks to them."""
