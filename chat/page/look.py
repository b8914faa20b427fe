"""The owner's look: an accent colour made readable in both themes, and a logo."""

from dataclasses import dataclass
from pathlib import Path

from chat import file_types
from chat.page.picture_size import size_of
from chat.settings.errors import SettingsError
from chat.settings.model import Settings

# WCAG 2.2, 1.4.3
READABLE = 4.5
LARGEST_LOGO = 200 * 1024
# In a small file more pixels fit than a phone has memory for.
MOST_PIXELS = 4096
# The address of an agent's picture that the owner has uploaded: this and its id.
ICONS = "/icons/"
LOGOS = (file_types.PNG, file_types.JPEG, file_types.WEBP, file_types.SVG)

Colour = tuple[int, int, int]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True)
class Theme:
    """The colours of tokens.css that an accent has to be read on, and what it is mixed with until
    it is.
    """

    paper: Colour
    sheet: Colour
    # The quieter text, which stands on the tint too.
    soft: Colour
    towards: Colour
    # How much accent is in the tint, at most.
    tint: float


LIGHT = Theme((0xFA, 0xF9, 0xF6), WHITE, (0x5C, 0x61, 0x67), BLACK, 0.12)
DARK = Theme((0x16, 0x18, 0x1A), (0x1F, 0x22, 0x25), (0xA3, 0xA7, 0xAB), WHITE, 0.18)


@dataclass(frozen=True)
class Logo:
    """A picture of the owner's, and what it is."""

    data: bytes
    content_type: str


@dataclass(frozen=True)
class Look:
    """What is served of it: a piece of style sheet, empty without an accent, and a logo."""

    css: str = ""
    logo: Logo | None = None


def load(settings: Settings, uploaded: bytes | None = None) -> Look:
    """The look that the settings ask for, or an `uploaded` logo. Raises SettingsError, one line."""
    css = accent_css(settings.accent_color) if settings.accent_color else ""
    if settings.site_logo:
        return Look(css, _logo(settings.site_logo))
    return Look(css, logo_of(uploaded) if uploaded else None)


def accent_css(accent: str) -> str:
    """Custom properties that put an accent, #rrggbb, in the place of ours, in both themes."""
    light, dark = _properties(parse(accent), LIGHT), _properties(parse(accent), DARK)
    return (
        f":root {{ {light} }}\n"
        f':root[data-theme="dark"] {{ {dark} }}\n'
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme]) {{ {dark} }} }}\n"
    )


def palette(accent: Colour, theme: Theme) -> dict[str, Colour]:
    """accent, on-accent and tint: the readable accent that is nearest to the given one.

    Contrast is at least READABLE of the accent on paper, sheet and tint, and of what stands on the
    accent.
    """
    for step in range(101):
        colour = mix(accent, theme.towards, step / 100)
        tint = _tint(colour, theme)
        on_accent = max(WHITE, (0x10, 0x14, 0x14), key=lambda text: contrast(text, colour))
        grounds = (theme.paper, theme.sheet, tint, on_accent)
        if min(contrast(colour, ground) for ground in grounds) >= READABLE:
            break
    return {"accent": colour, "on-accent": on_accent, "tint": tint}


def _tint(accent: Colour, theme: Theme) -> Colour:
    """As much accent in the sheet as leaves quiet text readable."""
    tints = (mix(theme.sheet, accent, theme.tint * share / 10) for share in range(10, -1, -1))
    return next(tint for tint in tints if contrast(theme.soft, tint) >= READABLE)


def contrast(first: Colour, second: Colour) -> float:
    """The contrast ratio of WCAG, from 1 to 21."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def parse(text: str) -> Colour:
    """#rrggbb as three numbers."""
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def mix(base: Colour, added: Colour, share: float) -> Colour:
    """The base colour with a `share`, from 0 to 1, of the added one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(base, added, strict=True))
    return red, green, blue


def _properties(accent: Colour, theme: Theme) -> str:
    return " ".join(
        f"--{name}: #{bytes(colour).hex()};" for name, colour in palette(accent, theme).items()
    )


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def logo_of(data: bytes, path: Path | str = "") -> Logo:
    """A logo of these bytes, from a file or sent by the owner. Raises SettingsError, one line."""
    if len(data) > LARGEST_LOGO:
        raise SettingsError("logo_large", path=path, size=len(data) // 1024)
    content_type = file_types.recognize(data, LOGOS)
    if content_type is None:
        raise SettingsError("logo_kind", path=path)
    size = size_of(data)
    if size is None and content_type != file_types.SVG.content_type:
        raise SettingsError("logo_kind", path=path)
    if size is not None and not 0 < min(size) <= max(size) <= MOST_PIXELS:
        raise SettingsError("logo_pixels", path=path, most=MOST_PIXELS)
    return Logo(data, content_type)


def _logo(path: Path) -> Logo:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError("logo_unreadable", path=path, reason=error) from None
    return logo_of(data, path)
