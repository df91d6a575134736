"""The code package that tasks on other machines ran with: its files, as they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from swell.client.stores import Stores
from swell.errors import DataDamaged
from swell.model.facts import CODE_FACT, AttemptFact

if TYPE_CHECKING:
    from tarfile import TarFile
    from tempfile import TemporaryDirectory
    from typing import IO


class _Told(msgspec.Struct, frozen=True):
    """What the fact ``code-package`` of an attempt says, as JSON."""

    ds_type: str
    sha: str
    location: str
    script: str


class Code:
    """What was sent to tasks on other machines: ``Run("BigSumFlow/15").code``.

    It is fetched from the run's object store when first looked into; that raises StoreError,
    DataMissing where ``gc`` removed it.
    """

    def __init__(self, stores: Stores, told: _Told) -> None:
        self._stores = stores
        self._told = told
        self._content: bytes | None = None

    @property
    def path(self) -> str:
        """Where the package is: the URL of a zip file."""
        return self._told.location

    @property
    def sha(self) -> str:
        """The SHA-256 of the package, in hexadecimal."""
        return self._told.sha

    @property
    def info(self) -> dict[str, str]:
        """What is known without fetching it: ``script``, ``ds_type``, ``sha``, ``location``."""
        told: dict[str, str] = msgspec.structs.asdict(self._told)
        return told

    @property
    def script_name(self) -> str:
        """The file of the flow, within the package."""
        return self._told.script

    @property
    def flowspec(self) -> str:
        """The text of that file."""
        from zipfile import ZipFile

        with ZipFile(self._file()) as archive:
            return archive.read(self.script_name).decode("utf-8", errors="replace")

    @property
    def tarball(self) -> TarFile:
        """The files as a tar file, open for reading."""
        import io
        import tarfile
        from zipfile import ZipFile

        made = io.BytesIO()
        with ZipFile(self._file()) as archive, tarfile.open(fileobj=made, mode="w") as tar:
            for entry in archive.infolist():
                member = tarfile.TarInfo(entry.filename)
                member.size, member.mode = entry.file_size, (entry.external_attr >> 16) & 0o777
                tar.addfile(member, io.BytesIO(archive.read(entry)))
        made.seek(0)
        return tarfile.open(fileobj=made, mode="r")

    def extract(self) -> TemporaryDirectory[str]:
        """Unpack it into a temporary folder, which goes with the object that is returned."""
        import os
        import tempfile
        from zipfile import ZipFile

        folder = tempfile.TemporaryDirectory(prefix="swell-code-")
        with ZipFile(self._file()) as archive:
            for entry in archive.infolist():
                path = archive.extract(entry, folder.name)
                if entry.external_attr >> 16 & 0o100:
                    os.chmod(path, 0o755)
        return folder

    def _file(self) -> IO[bytes]:
        import hashlib
        import io

        if self._content is None:
            content = self._stores.load_package(self.path)
            found = hashlib.sha256(content).hexdigest()
            if found != self.sha:
                raise DataDamaged(
                    f"The code package {self.path} is damaged: its SHA-256 is {found}.",
                    remedy="Take the code from where it was written: the bucket's content was "
                    "changed from outside.",
                )
            self._content = content
        return io.BytesIO(self._content)

    def __repr__(self) -> str:
        return f"<Code {self.script_name!r} at {self.path!r}>"


def newest_code(stores: Stores, attempts: list[AttemptFact]) -> Code | None:
    """The package of the last of ``attempts`` that ran with one; None where none did."""
    for attempt in reversed(attempts):
        if CODE_FACT in attempt.metadata:
            return code_of(stores, attempt.metadata[CODE_FACT][1])
    return None


def code_of(stores: Stores, fact: str) -> Code:
    """The package that the text of a fact tells of."""
    return Code(stores, msgspec.json.decode(fact, type=_Told))
