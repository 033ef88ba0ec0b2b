"""Kafka without Faust, for workers and console alike: the cluster, its topics, records, producer, outbox, lag."""
