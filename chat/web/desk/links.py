"""Pages of the platforms that a help or a cure names, as links to them."""

import re

from markupsafe import Markup, escape

# Helps and cures write a page to open without its scheme, and the address of an API with it.
_PAGE = re.compile(r"(?<![\w./:@-])(?:[a-z0-9-]+\.)+(?:cn|com)/[\w/%-]+", re.ASCII)


def with_links(text: str) -> Markup:
    """A text whose pages can be opened, beside the form that asks for what stands there."""
    link = '<a href="https://{0}" target="_blank" rel="noopener noreferrer">{0}</a>'
    return Markup(_PAGE.sub(lambda page: link.format(page[0]), str(escape(text))))
