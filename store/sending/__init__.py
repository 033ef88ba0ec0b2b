"""The outbound queue, and deliveries as people choose them."""
