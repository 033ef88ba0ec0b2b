"""Batches through Faust: whole fetches in, outputs acknowledged, then the offset committed."""
