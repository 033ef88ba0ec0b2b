"""Reading of all that people write: kinds of value, the reader of a document, and its wording of problems."""
