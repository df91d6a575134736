"""The stores that one run writes to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from swell.scheduler.observe import Observer, Told
from swell.session.databases import open_for_run
from swell.session.datastores import Datastores, datastore_url
from swell.session.place import Place, note_database
from swell.session.signals import EndedBySignal
from swell.settings import Settings

if TYPE_CHECKING:
    from swell.seams.metastore import Metastore


class RunStores:
    """The concrete stores of one run, opened and closed together."""

    metastore: Metastore
    data: Datastores

    def __init__(self, place: Place, settings: Settings, observer: Observer) -> None:
        self.place = place
        self.ended_by = EndedBySignal()
        self._settings = settings
        self._observer = observer

    def __enter__(self) -> RunStores:
        self.metastore, self.place = open_for_run(
            self.place, self._settings, self._tell, lambda: self.ended_by.signal is not None
        )
        try:
            if self.place.scope:
                note_database(self.place, self.metastore.store_id, self.metastore.address)
            url = datastore_url(self._settings, self.metastore.store_id)
            self.data = Datastores(self.place.blobs, url, self._settings, self._tell)
            self.data.check()
        except BaseException:
            self.metastore.close()
            raise
        return self

    def _tell(self, text: str) -> None:
        self._observer.notice(Told(time.time(), text, is_warning=True))

    def __exit__(self, *_: object) -> None:
        self.metastore.close()
