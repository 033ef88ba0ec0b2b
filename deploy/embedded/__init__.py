"""A real Kafka and a real PostgreSQL from Python packages alone, for first steps and for tests."""
