"""The Mailchimp channel: requests, their answers, and Mailchimp's own calls."""
