"""Messages as a customer would get them, rendered as the sender renders them and not sent."""
