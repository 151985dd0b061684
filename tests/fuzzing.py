"""How hard the fuzzers try: a little in `make test`, the same each time; much in `make fuzz`, and each time something
else. And how many inputs they tried, which `make fuzz` shows.
"""

import os
import sys

from hypothesis import HealthCheck, settings

LONG = os.environ.get("FUZZ") == "long"


def tries(short: int, long: int) -> settings:
    """Settings of hypothesis. A failure of a long run is printed with what repeats it."""
    return settings(
        max_examples=long if LONG else short,
        deadline=None,
        derandomize=not LONG,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
    )


def tell(words: str) -> None:
    """Shown for tests that pass too, by `pytest -rP`."""
    sys.stdout.write(f"FUZZ {words}\n")
