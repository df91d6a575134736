"""What an attempt leaves: its Record of artifacts and its Outcome."""

from __future__ import annotations

import msgspec

from swell.model.cause import Cause

INLINE_VALUE_BYTES = 16 * 1024
"""A serialised value up to this size stands in the Record itself."""
INLINE_RECORD_BYTES = 64 * 1024
"""Inline values of one Record together; past it, further ones become Blobs."""


class ArtifactRef(msgspec.Struct, frozen=True, array_like=True):
    """Where one artifact is, and what is known of it without loading it.

    Exactly one of ``inline`` (serialised bytes) and ``key`` (a Blob's BLAKE3 hex key)
    is set. ``size`` is the number of serialised bytes, ``encoding`` names the
    serialiser ('pickle', or 'cloudpickle-3.11' for values pickled by value, which only
    that Python minor version reads). ``store`` names the object store of a Blob; None is
    the store folder beside the metadata. ``files`` are Blobs beside it, which hold the
    content of files in it.
    """

    inline: bytes | None
    key: str | None
    size: int
    type: str
    preview: str
    encoding: str = "pickle"
    store: str | None = None
    files: tuple[str, ...] = ()

    @property
    def preview_line(self) -> str:
        """The first line of the preview, for tables."""
        return self.preview.partition("\n")[0]

    def handed_on(self) -> ArtifactRef:
        """The same artifact in the Record of a task that only hands it on: the details of the
        preview stand in the Record of the task that made it, not in those of thousands after."""
        if "\n" not in self.preview:
            return self
        return msgspec.structs.replace(self, preview=self.preview_line)


class CardRef(msgspec.Struct, frozen=True, array_like=True):
    """A rendered card: a Blob of self-contained HTML, ``hash`` its SHA-1 for people to type.

    ``store`` is as in ArtifactRef.
    """

    type: str
    id: str | None
    hash: str
    key: str
    size: int
    store: str | None = None


class Record(msgspec.Struct, frozen=True, array_like=True):
    """Artifacts by name, and cards."""

    artifacts: dict[str, ArtifactRef] = {}
    cards: tuple[CardRef, ...] = ()


class Items(msgspec.Struct, frozen=True, array_like=True):
    """The items of a foreach, each readable by itself.

    One of: ``range`` (start, step; item i is start + i*step), ``inline`` (one pickle an
    item), ``key`` (a Blob with an offset table), or none of them (``num_parallel``,
    whose items are the node indices). ``files`` are Blobs with the content of files in them:
    those of item i end before ``file_ends[i]``, and further items have none.
    """

    range: tuple[int, int] | None = None
    inline: tuple[bytes, ...] | None = None
    key: str | None = None
    store: str | None = None
    files: tuple[str, ...] = ()
    file_ends: tuple[int, ...] = ()

    def ref(self, index: int) -> ItemRef:
        """Where item ``index`` is."""
        if self.range is not None:
            start, stride = self.range
            return ItemRef(number=start + index * stride)
        if self.inline is not None:
            inline = self.inline[index]
            return ItemRef(inline=inline, store=self.store, files=self._files_of(index))
        if self.key is not None:
            files = self._files_of(index)
            return ItemRef(key=self.key, position=index, store=self.store, files=files)
        return ItemRef(number=index)

    def _files_of(self, index: int) -> tuple[str, ...]:
        if not self.files or not self.file_ends:
            return self.files
        if index >= len(self.file_ends):
            return ()
        return self.files[self.file_ends[index - 1] if index else 0 : self.file_ends[index]]


class ItemRef(msgspec.Struct, frozen=True, array_like=True):
    """One foreach item: a number, a pickle, or a position in a Blob of items.

    ``files`` are as in ArtifactRef.
    """

    number: int | None = None
    inline: bytes | None = None
    key: str | None = None
    position: int = 0
    store: str | None = None
    files: tuple[str, ...] = ()


class Split(msgspec.Struct, frozen=True, array_like=True):
    """A foreach or gang that a step opened: variable, number of children, their items.

    ``canaries`` are the indices that go first: the smallest item, the largest, random ones
    (of one canary: the largest).
    """

    var: str
    num: int
    items: Items
    is_gang: bool = False
    canaries: tuple[int, ...] = ()


class Transition(msgspec.Struct, frozen=True, array_like=True):
    """Where a step goes: ``targets`` in order (one, for a switch the chosen one)."""

    targets: tuple[str, ...] = ()
    split: Split | None = None


class ErrorInfo(msgspec.Struct, frozen=True, array_like=True):
    """A user's exception in words; ``traceback`` begins at the user's own frame.

    ``kinds`` names its class and those it inherits from.
    """

    type: str
    text: str
    traceback: str
    kinds: tuple[str, ...] = ()


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """What an attempt used, by the kernel's own counters; None where nobody measured it.

    MB are 2**20 bytes, as in the limits of kernels and engines. ``peak_memory_mb`` is what a
    fresh process would need at its peak, and ``how`` says how that was found
    (docs/decisions/0016). ``added_mb`` is what it took of its machine: a forked attempt has
    the memory of the script in common with the others. ``cpu_s`` are processor seconds, with
    those of the processes it waited for. ``read_mb`` and ``written_mb`` went from and to
    disks: what the page cache gave is not in it. ``gpu_memory_mb`` is the peak on all its
    GPUs together. ``memory_limit_mb`` is the limit that was held, None where none was.
    """

    peak_memory_mb: float | None = None
    cpu_s: float | None = None
    how: str = ""
    read_mb: float | None = None
    written_mb: float | None = None
    gpu_memory_mb: float | None = None
    added_mb: float | None = None
    memory_limit_mb: int | None = None

    def completed(self, own: Usage) -> Usage:
        """This, and where it says nothing, what the attempt measured itself."""
        fields = self.__struct_fields__
        said = {name: value for name in fields if (value := getattr(own, name)) not in (None, "")}
        if not said:
            return self
        missing = {k: v for k, v in said.items() if getattr(self, k) in (None, "")}
        return msgspec.structs.replace(self, **missing)


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What an attempt says of itself. Times are Unix seconds of the attempt's clock.

    ``caught`` marks an attempt that failed and was taken by ``@catch``: it counts as ok
    for what follows, but is not successful. ``load_s`` of its time it waited for artifacts
    that it read, ``save_s`` for those that it left. ``used`` is what only the attempt itself
    can measure; what is stored has all of it. ``remedy`` says what can be done about a failure.
    """

    ok: bool
    cause: Cause = Cause.OK
    message: str = ""
    error: ErrorInfo | None = None
    transition: Transition | None = None
    caught: bool = False
    retryable: bool = True
    started_at: float = 0.0
    ended_at: float = 0.0
    load_s: float = 0.0
    save_s: float = 0.0
    used: Usage = Usage()
    remedy: str = ""


class AttemptResult(msgspec.Struct, frozen=True, array_like=True):
    """The one final object of an attempt: Outcome and encoded Record together.

    ``metadata`` holds facts that tools read: name → (type, value). ``blobs`` are the keys
    the attempt stored, to be made durable before the Record is committed.
    """

    outcome: Outcome
    record: msgspec.Raw
    metadata: dict[str, tuple[str, str]] = {}
    blobs: tuple[str, ...] = ()
