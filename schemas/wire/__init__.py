"""Bytes to records and back: Avro, Confluent framing and JSON."""
