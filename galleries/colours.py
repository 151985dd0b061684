"""A photographer's accent colour, made readable: text and buttons in it keep a contrast of 4.5:1 in light and dark.

Hue and saturation stay; only the lightness moves, and no further than it has to. Contrast is WCAG 2.2's.
"""

import colorsys
from collections.abc import Iterable

LEAST_CONTRAST = 4.5
# What the accent may stand on: --paper, --card and --wash of static/css/pixora.css (a test compares them).
LIGHT_SURFACES = ("#faf8f5", "#ffffff", "#f1ece4")
DARK_SURFACES = ("#141210", "#1d1a17", "#25211d")
_STEPS = 256


def contrast(one: str, other: str) -> float:
    """Between 1 and 21; both colours are #rrggbb."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def readable(colour: str, surfaces: Iterable[str]) -> str:
    """The colour of the same hue, nearest in lightness, that can be read on all surfaces: all light, or all dark."""
    surfaces = list(surfaces)
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(colour))
    end = 0.0 if _luminance(surfaces[0]) > 0.5 else 1.0
    for step in range(_STEPS + 1):
        tried = _hex(colorsys.hls_to_rgb(hue, lightness + (end - lightness) * step / _STEPS, saturation))
        if all(contrast(tried, surface) >= LEAST_CONTRAST for surface in surfaces):
            return tried
    raise ValueError("no colour can be read on all of these surfaces")


def style_sheet(accent: str) -> str:
    """The custom properties of pixora.css that an album's accent replaces. The poster is always light, a photo's room
    always dark.
    """
    light, dark = readable(accent, LIGHT_SURFACES), readable(accent, DARK_SURFACES)
    on_dark = f"--accent: {dark}; --on-accent: {DARK_SURFACES[0]};"
    return (
        f":root {{ --accent: {light}; --accent-on-light: {light}; --on-accent: #ffffff; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {on_dark} }} }}\n"
        f".room {{ {on_dark} }}\n"
    )


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red / 255, green / 255, blue / 255


def _hex(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(each * 255):02x}" for each in channels)
