"""How anything that people write is read: kinds of value, the reader of a document, and its wording of problems."""
