"""English words that were raised or written down -> the language of whoever reads them.

A reason may be recorded in a row long before anybody reads it, or come from a process without Django; so it is English
where it arises and translated where it is shown.
"""

import re

from django.utils.translation import gettext, gettext_noop

# Sentences with something filled in. What is filled in may be one of the words below.
_SENTENCES = [
    gettext_noop("This is %(what)s. Pixora takes JPEG, PNG, WebP and HEIC."),
    gettext_noop("The file is larger than %(megabytes)s MB."),
    gettext_noop("The picture has %(width)s x %(height)s pixels; at most %(most)s megapixels are taken."),
    gettext_noop("Reading this file failed %(times)s times (%(reason)s)."),
    gettext_noop(
        "Very many guests have come from your network by this link. "
        "Try again in %(minutes)s min, or at once with mobile data instead of the Wi-Fi."
    ),
    gettext_noop("Very many guests are searching right now. Try again in %(seconds)s s."),
    gettext_noop("Your last searches are still under way. Try again in %(seconds)s s."),
    gettext_noop("Too many wrong passwords. Try again in %(seconds)s s."),
    gettext_noop("This account keeps %(limit)s photos at most. Delete some, or ask the administrator for more room."),
    gettext_noop(
        "This account keeps %(gigabytes)s GB at most. Delete some photos, or ask the administrator for more room."
    ),
    gettext_noop("You have searched as often as a day allows. Try again in %(hours)s h."),
    gettext_noop("Searching is slowed down for a while. Try again in %(seconds)s s."),
    gettext_noop("It answered %(status)s."),
    gettext_noop("This token lacks the scope “%(scope)s”."),
]
WORDS = [
    gettext_noop("a camera's RAW file"),
    gettext_noop("a GIF"),
    gettext_noop("a BMP"),
    gettext_noop("a TIFF or a camera's RAW file"),
    gettext_noop("a Photoshop file"),
    gettext_noop("a JPEG 2000"),
    gettext_noop("a JPEG XL"),
    gettext_noop("an icon"),
    gettext_noop("an AVIF"),
    gettext_noop("an animation"),
    gettext_noop("crash"),
    gettext_noop("time"),
    gettext_noop("memory"),
    gettext_noop("This file is not a photo. Pixora takes JPEG, PNG, WebP and HEIC."),
    gettext_noop("This file is a video, not a photo. Pixora takes JPEG, PNG, WebP and HEIC."),
]


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+?)", re.escape(sentence)))


_PATTERNS = [(sentence, _pattern(sentence)) for sentence in _SENTENCES]


def in_words(english: str) -> str:
    """In the reader's language, or as it is where nobody has translated it."""
    for sentence, pattern in _PATTERNS:
        if found := pattern.fullmatch(english):
            return gettext(sentence) % {name: gettext(value) for name, value in found.groupdict().items()}
    return gettext(english) if english else ""
