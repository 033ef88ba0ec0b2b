"""The Klaviyo channel: requests and their answers, and jobs of many."""
