"""Text messages, over Twilio's API or a gateway of one's own."""
