"""When workers took up which photo, written down by the database itself: a trigger misses nothing."""

from dataclasses import dataclass
from itertools import pairwise

from tests.faults.servers import Database

_TRIGGERS = {
    "sqlite": (
        "CREATE TABLE faults_claim (photo, attempt INTEGER, moment REAL)",
        """CREATE TRIGGER faults_claim AFTER UPDATE OF fence ON galleries_photo WHEN NEW.fence IS NOT NULL BEGIN
           INSERT INTO faults_claim VALUES (NEW.id, NEW.attempts, (julianday('now') - 2440587.5) * 86400); END""",
    ),
    "postgresql": (
        "CREATE TABLE faults_claim (photo uuid, attempt integer, moment float)",
        """CREATE FUNCTION faults_claim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO faults_claim
           VALUES (NEW.id, NEW.attempts, extract(epoch FROM clock_timestamp())); RETURN NULL; END $$""",
        """CREATE TRIGGER faults_claim AFTER UPDATE OF fence ON galleries_photo FOR EACH ROW
           WHEN (NEW.fence IS NOT NULL) EXECUTE FUNCTION faults_claim()""",
    ),
}


def write_down_claims(database: Database) -> None:
    for statement in _TRIGGERS[database.name]:
        database.execute(statement)


@dataclass(frozen=True)
class Interruption:
    """`attempt` is the one that was cut off; `waited` the seconds from the cut until the photo was taken up again."""

    photo: str
    attempt: int
    waited: float


def interruptions(database: Database, cuts: list[float]) -> list[Interruption]:
    """Photos that were claimed again while an attempt was unfinished, by the moments (Unix time) of the cuts."""
    claims: dict[str, list[tuple[float, int]]] = {}
    for photo, attempt, moment in database.rows("SELECT photo, attempt, moment FROM faults_claim ORDER BY moment"):
        claims.setdefault(str(photo), []).append((float(moment), attempt))
    return [
        Interruption(photo, attempt, again - next(cut for cut in cuts if cut >= moment))
        for photo, own in claims.items()
        for (moment, attempt), (again, _) in pairwise(own)
    ]
