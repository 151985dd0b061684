"""`python -m tests.mutate_access`: breaks the rule in every way there is to break it, and counts who notices.

Each condition of galleries/access/ is turned round, dropped or made to hold always, each check is skipped, each role
and scope gets a little more or less; then the questions of the access table are put until an answer differs. SAMPLE=20
takes every twentieth, ONLY=public_cover,viewer_of what is in these. Ends with 1 when fewer than 95 % are noticed.
"""

import os
import sys
import time

NEEDED = 0.95


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> int:
    from django.db import transaction

    from tests.jury import Jury, with_odd_rows
    from tests.mutants import of_code, of_tables
    from tests.world import build

    begun, step = time.monotonic(), int(os.environ.get("SAMPLE", "1"))
    with transaction.atomic():
        jury = Jury(with_odd_rows(build()))
        say(f"{len(jury.questions)} questions, answered twice in {time.monotonic() - begun:.0f} s")
        only = os.environ.get("ONLY", "").split(",")
        mutants = [each for each in [*of_tables(), *of_code()][::step] if any(name in each.where for name in only)]
        missed = []
        for number, mutant in enumerate(mutants, 1):
            if not jury.notices(mutant):
                missed.append(mutant)
                say(f"not noticed: {mutant.where}: {mutant.what}")
            if number % 25 == 0:
                say(f"{number} of {len(mutants)}, {len(missed)} not noticed")
        false_alarms = jury.false_alarms()
        for each in false_alarms:
            say(f"noticed where nothing was broken: {each.persona}, {each.row}")
        transaction.set_rollback(True)
    share = 1 - len(missed) / len(mutants)
    seconds = time.monotonic() - begun
    say(f"{len(mutants) - len(missed)} of {len(mutants)} noticed ({share:.1%}), in {seconds:.0f} s;")
    say(f"all but {jury.by_rule} of them by what a route answers, those by what the rule itself says.")
    return int(share < NEEDED or bool(false_alarms))


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    django.setup()
    setup_test_environment()
    import logging

    logging.disable(logging.CRITICAL)
    databases = setup_databases(0, False)
    code = main()
    teardown_databases(databases, 0)
    sys.exit(code)
