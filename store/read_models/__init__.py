"""Read models: decisions and ends of deliveries as topics tell them, kept for those who ask."""
