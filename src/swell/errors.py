"""Every error swell raises, as one tree; nothing here imports anything of swell.

SwellError                          root: cause, then remedy
├── FlowError                       mend the flow script
│   ├── LintWarn                    the graph breaks a rule
│   ├── InvalidNextException        self.next was called wrongly
│   ├── TooManyItems                a foreach over more items than are allowed
│   ├── Parameter… Config… Decorator… errors
│   └── merge and join errors
├── UseError                        mend the command, path or tag
│   ├── NotFound  InvalidPathspec  NamespaceMismatch
│   ├── TaggingError  UnknownUser  CommandException
│   └── RunInUse
├── StoreError                      data or metadata cannot be read or written
│   ├── DataMissing  DataDamaged  UnstorableArtifact  StoreFull  Untrusted
│   └── MetadataError
├── ComputeError                    a backend failed; often retryable
│   └── JobKilled
├── TaskError                       what ends an attempt
│   ├── NonRetryable            raised by a step: trying again cannot help
│   └── TimeoutException  FailureHandledByCatch  TaskFailed  MulticoreException
├── CardError                       a card cannot be made or found
└── InternalError                   a bug in swell: please report it
"""

from __future__ import annotations


class SwellError(Exception):
    """Cause with its values in ``message``; what to do about it in ``remedy``.

    ``retryable`` says whether trying the same again can help. ``source_file`` and
    ``line_no`` point into the user's script where one line is to blame.
    """

    headline = "Error"
    retryable = False

    def __init__(
        self,
        message: str = "",
        *,
        remedy: str = "",
        source_file: str | None = None,
        line_no: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.source_file = source_file
        self.line_no = line_no

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))


def _rebuild(kind: type[SwellError], message: str, state: dict[str, object]) -> SwellError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class InternalError(SwellError):
    """A bug in swell."""

    headline = "Internal error"


# --- mend the flow ---------------------------------------------------------


class FlowError(SwellError):
    """The flow script has to be changed."""

    headline = "Flow error"


class LintWarn(FlowError):
    """The graph breaks a rule; ``source_file`` and ``line_no`` say where."""

    headline = "The flow cannot run"


class InvalidNextException(FlowError):
    """``self.next`` was called with something other than its allowed forms."""

    headline = "Invalid self.next"


class TooManyItems(FlowError):
    """A foreach has more than ``limit`` items; ``wanted`` is None where they have no length."""

    headline = "Too many splits"

    def __init__(self, message: str, *, wanted: int | None, limit: int, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.wanted = wanted
        self.limit = limit


class ParameterFieldFailed(FlowError):
    """A function given as a parameter's default raised."""

    headline = "Parameter default failed"


class ParameterFieldTypeMismatch(FlowError):
    """A parameter's value or default is not of its type."""

    headline = "Parameter type mismatch"


class ParserValueError(FlowError):
    """A requirements or configuration parser cannot read its text."""

    headline = "Cannot parse"


class InvalidDecoratorAttribute(FlowError):
    """A decorator was given an argument it does not know."""

    headline = "Unknown decorator argument"


class BadStepDecoratorException(FlowError):
    """A step decorator stands above something that is not a step."""

    headline = "Misplaced decorator"


class BadFlowDecoratorException(FlowError):
    """A flow decorator stands above something that is not a flow."""

    headline = "Misplaced decorator"


class UnknownStepDecoratorException(FlowError):
    """No step decorator has this name."""

    headline = "Unknown decorator"


class UnknownFlowDecoratorException(FlowError):
    """No flow decorator has this name."""

    headline = "Unknown decorator"


class DuplicateStepDecoratorException(FlowError):
    """A decorator that may stand once stands twice on a step."""

    headline = "Duplicate decorator"


class DuplicateFlowDecoratorException(FlowError):
    """A decorator that may stand once stands twice on a flow."""

    headline = "Duplicate decorator"


class UnhandledInMergeArtifactsException(FlowError):
    """Inputs of a join disagree on ``artifact_names``."""

    headline = "Merge conflict"

    def __init__(self, message: str, artifact_names: list[str], *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.artifact_names = artifact_names


class MissingInMergeArtifactsException(FlowError):
    """``include`` names ``artifact_names`` which no input has."""

    headline = "Nothing to merge"

    def __init__(self, message: str, artifact_names: list[str], *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.artifact_names = artifact_names


# --- mend the command, the path, the tag -----------------------------------


class UseError(SwellError):
    """The command or the call has to be changed."""


class UsageError(UseError):
    """The command line itself is wrong: exit code 2."""

    headline = "Wrong usage"


class NotFound(UseError):
    """No such flow, run, step, task or artifact."""

    headline = "Not found"


class InvalidPathspec(UseError):
    """A path does not have the form ``Flow/run/step/task/artifact``."""

    headline = "Invalid path"


class NamespaceMismatch(UseError):
    """The object exists, but in another namespace."""

    headline = "Outside the namespace"

    def __init__(self, message: str, namespace: str | None = None, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.namespace = namespace


class TaggingError(UseError):
    """A tag breaks a rule."""

    headline = "Tagging"


class UnknownUser(UseError):
    """The operating system has no name for this user."""

    headline = "Unknown user"


class CommandException(UseError):
    """A command cannot do what was asked."""

    headline = "Command failed"


class RunInUse(UseError):
    """A run cannot be removed: it goes on, or ``by`` it one does that takes from it."""

    headline = "Run in use"

    def __init__(self, message: str = "", *, by: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.by = by


class ExternalCommandFailed(UseError):
    """A program that swell called failed."""

    headline = "External command failed"


# --- the store -------------------------------------------------------------


class StoreError(SwellError):
    """Artifacts or their records cannot be read or written."""

    headline = "Store error"


class DataMissing(StoreError):
    """Data that should be there is not."""

    headline = "Data missing"


class DataDamaged(StoreError):
    """Data are not what was written; ``key`` is that of their Blob, where it is one."""

    headline = "Data damaged"

    def __init__(self, message: str = "", *, key: str | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.key = key


class UnstorableArtifact(StoreError):
    """A value cannot be stored; names attribute, type and the part that resists."""

    headline = "Cannot store artifact"


class Untrusted(StoreError):
    """A stored value names something that SWELL_UNPICKLE refuses.

    ``tail`` says what of; ``located`` puts in front of it which value that is.
    """

    headline = "Not trusted"

    def __init__(self, tail: str = "", *, remedy: str = "") -> None:
        super().__init__(f"A stored value {tail}", remedy=remedy)
        self.tail = tail

    def located(self, where: str) -> Untrusted:
        """The same error about the value that ``where`` names."""
        self.message = f"{where} {self.tail}"
        return self


class StoreFull(StoreError):
    """No space, or no quota, is left where the store is."""

    headline = "Disk full"


class MetadataError(StoreError):
    """The metadata database cannot be opened, read or written."""

    headline = "Metadata error"


# --- running ---------------------------------------------------------------


class ComputeError(SwellError):
    """A backend cannot run or find a job."""

    headline = "Compute error"

    def __init__(self, message: str = "", *, remedy: str = "", retryable: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.retryable = retryable


class JobKilled(ComputeError):
    """The job was ended on request."""

    headline = "Job killed"


class TaskError(SwellError):
    """Ends one attempt of a task."""

    headline = "Task error"


class NonRetryable(TaskError):
    """Raised in a step, it says that trying again cannot help: no ``@retry`` does."""

    headline = "Not to be retried"


class TimeoutException(TaskError):
    """A step ran longer than its ``@timeout``."""

    headline = "Timeout"


class FailureHandledByCatch(TaskError):
    """The task's process died and ``@catch`` took the failure."""

    headline = "Failure handled by @catch"

    def __init__(self, message: str = "", *, retry_count: int = 0, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.retry_count = retry_count


class TaskFailed(TaskError):
    """A task is out of attempts."""

    headline = "Task failed"


class MulticoreException(TaskError):
    """A process of ``parallel_map`` failed."""

    headline = "parallel_map failed"


# --- cards -----------------------------------------------------------------


class CardError(SwellError):
    """A card cannot be made."""

    headline = "Card error"


class CardNotPresentException(CardError):
    """No card matches."""

    headline = "Card not found"


# --- values ----------------------------------------------------------------


class ExceptionWrapper:
    """What is kept of a user's exception: text, type and stack trace.

    It loads without the original class. ``exception`` is the exception's text,
    ``type`` its dotted name, ``stacktrace`` begins at the user's own frame.
    """

    def __init__(self, exception: str, type_name: str, stacktrace: str) -> None:
        self.exception = exception
        self.type = type_name
        self.stacktrace = stacktrace

    def __repr__(self) -> str:
        return f"<{self.type}: {self.exception}>"

    def __str__(self) -> str:
        return self.stacktrace

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExceptionWrapper) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.type, self.exception, self.stacktrace))
