"""The sender's judgement: when to try again, and how fast a destination may be asked."""
