"""`python -m console.reference` writes the reference pages again."""

from console.reference.pages import write_pages

write_pages()
