"""What is looked at while the flow's process runs: the driver's lease, and spot notices."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping

from swell.bootstrap.credentials import Denied, ask_near
from swell.bootstrap.ends import has_expired
from swell.bootstrap.folders import put_whole
from swell.bootstrap.sources import machine_headers, machine_url
from swell.bootstrap.store import Listed, Store, StoreFailure

LEASE_LOOK_S = 60.0
SPOT_LOOK_S = 5.0
_LOOKS_A_LEASE = 10


class LeaseWatch:
    """Looks for the driver's newest beat; calls ``expired`` once, when it is too old.

    A thread, since a look may take as long as the store likes. No beat at all is no reason
    to end, nor is a store that does not answer.
    """

    def __init__(
        self, store: Store, prefix: str, lease_s: float, expired: Callable[[str], None]
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._lease_s = lease_s
        self._expired = expired
        self._newest: Listed | None = None
        self._stop = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="swell-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what follows from a lease that has run out is waited for."""
        self._stop.set()
        if self._is_over:
            self._thread.join()

    def _run(self) -> None:
        every_s = min(LEASE_LOOK_S, self._lease_s / _LOOKS_A_LEASE)
        # Attempts that began together shall not look together.
        while not self._stop.wait(every_s * (0.5 + os.urandom(1)[0] / 255)):
            try:
                sentence = self._look()
            except StoreFailure:
                continue
            if sentence is not None:
                self._is_over = True
                self._expired(sentence)
                return

    def _look(self) -> str | None:
        after = self._newest.key if self._newest is not None else ""
        beats = self._store.listing(self._prefix, after)
        if beats:
            self._newest = beats[-1]
        if self._newest is None:
            return None
        age_s = self._store.now() - self._newest.modified_at
        if age_s <= self._lease_s:
            return None
        word = self._store.read(self._newest.key).decode("utf-8", "replace")
        if not has_expired(word, age_s, self._lease_s):
            return None
        return (
            f"The driver gave no sign of life for {age_s:.0f} s (lease: {self._lease_s:g} s), so "
            "the attempt was ended."
        )


class SpotWatch:
    """Asks the machine's metadata, where they answer, for facts once and for spot notices.

    Facts go into ``facts``; a notice goes into the file ``path``, which the flow's process
    looks for. A thread, since metadata that nobody offers answer by silence.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
    """

    def __init__(self, environ: Mapping[str, str], path: str, facts: dict[str, str]) -> None:
        self.has_notice = False
        self._environ = environ
        self._path = path
        self._facts = facts
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="swell-spot", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _run(self) -> None:
        try:
            url = machine_url(self._environ)
            headers = machine_headers(url, _ask_once)
            self._facts.update(_machine_facts(url, headers))
        except (OSError, ValueError):
            return
        renew_at = time.monotonic() + 3600
        while True:
            try:
                if time.monotonic() > renew_at:
                    headers = machine_headers(url, ask_near)
                    renew_at = time.monotonic() + 3600
                path = url + "/latest/meta-data/spot/instance-action"
                self._note(ask_near("GET", path, headers))
                return
            except (OSError, ValueError):
                pass  # 404: there is no notice
            if self._stop.wait(SPOT_LOOK_S):
                return

    def _note(self, notice: bytes) -> None:
        told = json.loads(notice)
        now = time.time()
        self._facts["spot-termination-received-at"] = str(int(now * 1000))
        self._facts["spot-termination-time"] = str(told.get("time", ""))
        self.has_notice = True
        put_whole(self._path, json.dumps(dict(told, received_at=now)).encode())


def _machine_facts(url: str, headers: Mapping[str, str]) -> dict[str, str]:
    try:
        identity = _ask_once("GET", url + "/latest/dynamic/instance-identity/document", headers)
        told = json.loads(identity)
    except Denied:
        return {}
    names = {
        "instanceId": "ec2-instance-id",
        "instanceType": "ec2-instance-type",
        "region": "ec2-region",
        "availabilityZone": "ec2-availability-zone",
    }
    return {name: str(told[key]) for key, name in names.items() if key in told}


def _ask_once(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    return ask_near(method, url, headers, tries=1)
