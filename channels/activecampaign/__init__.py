"""The ActiveCampaign channel: requests, the list of fields that they need, and their answers."""
