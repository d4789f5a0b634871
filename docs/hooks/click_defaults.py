"""A hook of the site: options without a default show none.

The extension that reads the command line prints click's own mark of a missing default.
"""


def on_page_content(html: str, **_) -> str:
    """Return a page without that mark."""
    return html.replace("<code>Sentinel.UNSET</code>", "")
