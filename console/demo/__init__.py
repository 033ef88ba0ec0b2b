"""`tidings demo`: the whole job on real servers, checked against a recomputation by brute force."""
