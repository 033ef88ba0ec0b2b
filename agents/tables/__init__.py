"""Local tables: rows by customer, kept by partition, rebuilt from Kafka."""
