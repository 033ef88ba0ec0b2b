"""Pages for people who have signed in, and the way in: a zone of its own, apart from customers' pages and the API."""
