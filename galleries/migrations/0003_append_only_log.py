"""The log of deeds is only added to: the database refuses to change a row, and to delete one within a year."""

from typing import Any

from django.db import migrations

_REFUSES = "SELECT RAISE(ABORT, 'the log is only added to');"
_RAISES = "RAISE EXCEPTION 'the log is only added to' USING ERRCODE = 'integrity_constraint_violation';"
_CALL = "EXECUTE FUNCTION deed_refuses()"
_YOUNG = {
    "sqlite": "OLD.at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-365 days')",
    "postgresql": "OLD.at > now() - interval '365 days'",
}
_ON = {
    "sqlite": [
        f"CREATE TRIGGER deed_stays_as_it_is BEFORE UPDATE ON galleries_deed BEGIN {_REFUSES} END",
        f"CREATE TRIGGER deed_stays BEFORE DELETE ON galleries_deed WHEN {_YOUNG['sqlite']} BEGIN {_REFUSES} END",
    ],
    "postgresql": [
        f"CREATE FUNCTION deed_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_RAISES} END $$",
        f"CREATE TRIGGER deed_stays_as_it_is BEFORE UPDATE ON galleries_deed FOR EACH ROW {_CALL}",
        f"CREATE TRIGGER deed_stays BEFORE DELETE ON galleries_deed FOR EACH ROW WHEN ({_YOUNG['postgresql']}) {_CALL}",
        f"CREATE TRIGGER deed_stays_whole BEFORE TRUNCATE ON galleries_deed FOR EACH STATEMENT {_CALL}",
    ],
}
_OFF = {
    "sqlite": ["DROP TRIGGER IF EXISTS deed_stays_as_it_is", "DROP TRIGGER IF EXISTS deed_stays"],
    "postgresql": ["DROP FUNCTION IF EXISTS deed_refuses() CASCADE"],
}


def guard(connection: Any) -> None:
    with connection.cursor() as cursor:
        for statement in _ON[connection.vendor]:
            cursor.execute(statement)


def unguard(connection: Any) -> None:
    with connection.cursor() as cursor:
        for statement in _OFF[connection.vendor]:
            cursor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("galleries", "0002_cache_table")]
    operations = [
        migrations.RunPython(
            lambda apps, editor: guard(editor.connection), lambda apps, editor: unguard(editor.connection)
        )
    ]
