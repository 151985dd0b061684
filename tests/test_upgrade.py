"""Old and new code run side by side during an upgrade: what migrations may do, and that they may do it."""

from collections.abc import Iterator

import pytest
from django.db import connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from galleries.flows import photo as photo_flow
from galleries.models import Album, Face, Link, Photo
from tests import pictures
from tests.conftest import ready_photo, search

pytestmark = pytest.mark.django_db(transaction=True)
# The last migration of the last release. What comes after it may only expand, or says in its name that it contracts.
RELEASED = "0002_cache_table"
_CONTRACTING = (
    migrations.RemoveField, migrations.RenameField, migrations.DeleteModel, migrations.RenameModel,
    migrations.AlterModelTable, migrations.AlterUniqueTogether, migrations.RunSQL,
)  # fmt: skip


def contracts(operation: Operation) -> bool:
    """Whether code that does not know of it would fail to read or write."""
    if isinstance(operation, migrations.AddField | migrations.AlterField):
        field = operation.field
        return not (field.null or field.has_db_default() or isinstance(field, models.ManyToManyField))
    if isinstance(operation, migrations.AddConstraint):
        return True
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        return any(contracts(each) for each in operation.database_operations)
    return isinstance(operation, _CONTRACTING)


def wrong(migration: Migration) -> list[str]:
    _, _, name = migration.name.partition("_")
    if name.startswith("contract_"):
        return []
    return [f"{migration.name}: {operation.describe()}" for operation in migration.operations if contracts(operation)]


def test_migrations_since_the_release_only_expand_or_say_that_they_contract() -> None:
    loader = MigrationLoader(connection)
    ours = [loader.disk_migrations[key] for key in sorted(loader.disk_migrations) if key[0] == "galleries"]
    assert RELEASED in {migration.name for migration in ours}
    assert [each for migration in ours if migration.name > RELEASED for each in wrong(migration)] == []


def text(**options: object) -> models.Field:
    return models.CharField(max_length=20, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operation", "is_wrong"),
    [
        (migrations.AddField("photo", "later", text(null=True)), False),
        (migrations.AddField("photo", "later", text(db_default="")), False),
        (migrations.AddField("photo", "later", text(default="")), True),
        (migrations.AlterField("photo", "code", text(default="")), True),
        (migrations.AlterField("photo", "code", text(null=True)), False),
        (migrations.RemoveField("photo", "code"), True),
        (migrations.RenameField("photo", "code", "reason"), True),
        (migrations.DeleteModel("Archive"), True),
        (migrations.CreateModel("Later", [("id", models.AutoField(primary_key=True))]), False),
        (migrations.AddIndex("photo", models.Index(fields=["code"], name="later")), False),
        (migrations.RunSQL("DROP TABLE galleries_photo"), True),
    ],
)
def test_what_would_break_the_code_before_is_told_from_what_would_not(operation: Operation, is_wrong: bool) -> None:
    migration: Migration = type("Migration", (Migration,), {"operations": [operation]})("0003_later", "galleries")
    assert bool(wrong(migration)) is is_wrong
    migration.name = "0003_contract_later"
    assert wrong(migration) == []


_EXPANSION = [
    migrations.AddField("photo", "later", text(db_default="new")),
    migrations.AddField("album", "later", models.IntegerField(null=True)),
    migrations.AddField("selfie", "later", models.BooleanField(db_default=False)),
    migrations.CreateModel("Later", [("id", models.AutoField(primary_key=True)), ("key", text())]),
]


@pytest.fixture
def of_the_next_release() -> Iterator[None]:
    """The database as the next release has migrated it, while the code is this one."""
    before = MigrationLoader(connection).project_state()
    states: list[tuple[Operation, ProjectState, ProjectState]] = []
    for operation in _EXPANSION:
        after = before.clone()
        operation.state_forwards("galleries", after)
        states.append((operation, before, after))
        before = after
    for operation, old, new in states:
        with connection.schema_editor() as editor:
            operation.database_forwards("galleries", editor, old, new)
    MigrationRecorder(connection).record_applied("galleries", "0003_later")
    yield
    MigrationRecorder(connection).record_unapplied("galleries", "0003_later")
    for operation, old, new in reversed(states):
        with connection.schema_editor() as editor:
            operation.database_backwards("galleries", editor, new, old)


def test_this_code_works_on_the_database_of_the_next_release(
    of_the_next_release: None, searchable: Album, link: Link
) -> None:
    photo = ready_photo(searchable, pictures.jpeg(pictures.portrait()))
    assert (photo.state, Face.objects.count()) == ("ready", 1)
    found = search(link, keep_me_posted="true")
    assert found.selfie.matches.get().photo == photo
    with connection.cursor() as cursor:
        cursor.execute("SELECT later FROM galleries_photo")
        assert cursor.fetchall() == [("new",)]
    photo_flow.delete([photo])
    assert not Photo.objects.exists()


def test_going_back_to_the_code_before_has_nothing_to_migrate(of_the_next_release: None) -> None:
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
