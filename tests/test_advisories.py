"""What is said of known holes is what was found, and silence is not taken for none."""

from typing import Any

import pytest

from tests import advisories

SOUND: dict[str, Any] = {"name": "django", "version": "5.2.19", "vulns": []}
BROKEN: dict[str, Any] = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
UNKNOWN: dict[str, Any] = {"name": "ours", "skip_reason": "not found"}


def test_holes_and_packages_that_nobody_knows_are_told_apart() -> None:
    assert advisories.judged([SOUND, BROKEN, UNKNOWN]) == (["pillow 1.0: CVE-1, mended in ['1.1']"], ["ours"])


@pytest.mark.parametrize(
    ("answers", "ends_with", "says"),
    [
        ([([], [], "")], 0, "No known holes"),
        ([(["pillow 1.0"], [], "")], 1, "pillow 1.0"),
        ([([], [], "no network"), ([], ["django"], "")], 0, "NOT looked for"),
        ([([], [], "no network"), ([], [], "")], 0, "No known holes, says osv"),
    ],
)
def test_silence_is_not_taken_for_no_holes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[tuple[list[str], list[str], str]],
    ends_with: int,
    says: str,
) -> None:
    monkeypatch.delenv("AUDIT", raising=False)
    given = iter(answers)
    monkeypatch.setattr(advisories, "asked", lambda service: next(given))
    assert advisories.main() == ends_with
    assert says in capsys.readouterr().out
