"""The Intercom channel: requests, contacts and how they are found, answers, and Intercom's own calls."""
