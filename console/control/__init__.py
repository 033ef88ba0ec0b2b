"""Use cases: what people can do, written once for every face of the product."""
