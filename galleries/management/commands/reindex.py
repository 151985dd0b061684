import time
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import recognition
from galleries.flows import reindex
from galleries.models import Album, Photo


class Command(BaseCommand):
    help = (
        "Embed the faces of all albums anew by the engine of the settings, in the background, by the workers that run. "
        "Searches go on with the old vectors until an album is through. Can be stopped and begun again at any time; to "
        "go back, set the old engine and run it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--album", type=UUID, help="this album only")
        parser.add_argument("--background", action="store_true", help="do not wait and show progress")
        parser.add_argument("--forget-old", action="store_true", help="delete vectors of engines no longer in use")

    def handle(self, *args: Any, album: UUID | None, background: bool, forget_old: bool, **options: Any) -> None:
        engine = recognition.engine().name
        albums = Album.objects.present().filter(face_search=True)
        chosen = list(albums.filter(pk=album) if album else albums)
        for each in chosen:
            reindex.begin(each, engine)
        self.stdout.write(f"{len(chosen)} albums move to {engine}.")
        if not background:
            self._watch([each.pk for each in chosen])
        if forget_old:
            for each in chosen:
                reindex.forget_old(each)

    def _watch(self, albums: list[UUID]) -> None:
        """Ends when all albums have switched; stopping it stops nothing else."""
        total = Photo.objects.filter(album__in=albums, state=Photo.State.READY).count()
        columns = (TextColumn("photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            task = progress.add_task("photos", total=total)
            while moving := list(Album.objects.filter(pk__in=albums).exclude(next_engine="")):
                for album in moving:
                    reindex.advance(album)
                left = sum(reindex.waiting(album).count() for album in moving if album.next_engine)
                progress.update(task, completed=max(0, total - left))
                time.sleep(1)
            progress.update(task, completed=total)
