"""The page of designs that are there to be copied, each with its pictures."""

from __future__ import annotations

from channels.templates.designs import about, design_names, fits, is_default


def gallery_page() -> str:
    """The designs of the gallery; the pictures are taken by `make pictures`."""
    designs = [name for name in design_names() if not is_default(name)]
    return "\n".join([_HEAD, *map(_section, designs)]).rstrip() + "\n"


def _section(name: str) -> str:
    uses = ", ".join(f"`{kind}`" if action == "message" else f"`{action}` on `{kind}`" for action, kind in fits(name))
    pictures = " ".join(
        f'<img src="gallery/{name}-{width}.png" width="{shown}" alt="{name} in a reader that is {width} pixels wide">'
        for width, shown in ((375, 250), (650, 433))
    )
    return f"## {name}\n\n{about(name)} Made for {uses}.\n\n```sh\n{_COPY.format(name)}\n```\n\n{pictures}\n"


_COPY = "tidings templates copy {} templates"

_HEAD = """\
# Designs to copy

Written from `channels/templates/designs/` by `python -m console.reference.pages`; the pictures by `make pictures`.

`tidings templates copy DESIGN FOLDER` writes a design as files of your own, in every language and with its subject;
`--as` gives it another name. From then on it is a template as any other ([templates.md](templates.md)): change the
words, drop what you do not need. `tidings templates designs` lists all, the defaults among them: a copy of one in
`templates/` beside a distribution is taken instead of the product's.

- The band, the button and the frame around a code are of `brand.color`; letters on it are white or black, whichever can
  be read. Without it they are blue.
- The button leads to `brand.shop_url`, and is not there without it. Amounts need `brand.currency`.
- The code's picture travels in the mail; nothing but the logo is loaded from elsewhere, and without it the brand's name
  stands there.
- They follow a dark reader. A folder's own `layout.mjml` stands around them; the built-in one has the styles for dark
  readers and for narrow ones.
"""
