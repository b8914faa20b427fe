"""Addresses that lead nowhere but to pages of this site."""


def local(target: str | None) -> str:
    """The target if it is a path of this site, else the first page.

    Browsers read a backslash as a slash and drop what cannot be seen, so neither may be in it.
    """
    if not target or not target.startswith("/") or target.startswith("//"):
        return "/"
    if "\\" in target or " " in target or not target.isprintable():
        return "/"
    return target
