"""All behaviours, those that need no run of their own together."""

from __future__ import annotations

import textwrap

from tests.flows.data_behaviours import (
    ArtifactsAreHandedOn,
    ChangesInPlaceAreKept,
    HiddenAndDeletedArtifacts,
    MergingTellsConflicts,
    ParametersAndConstantsAreEverywhere,
    RandomStateDiffers,
    WhatTheScriptDefinesIsStored,
)
from tests.flows.fact_behaviours import (
    CardsExist,
    CurrentKnowsTheTask,
    EnvironmentIsTheStepsOwn,
    InputsComeInOrder,
    LogsAreCompleteAndInOrder,
    PlaceInForeach,
    StandardInputIsEmpty,
    TagsAreOnTheRunAndItsParts,
    TheClientSeesEverything,
)
from tests.flows.failure_behaviours import (
    AFailureEndsTheRun,
    DeathsAreCaught,
    ExceptionsAreCaught,
    KeepGoingFinishesTheRest,
    ResumeFromAStep,
    ResumeRunsOnlyWhatIsNeeded,
    RetryThenSuccess,
    TimeoutsEndATask,
)
from tests.flows.foreach_behaviours import CanariesGoFirst, FailuresWithinTheBudgetAreLost
from tests.flows.shapes import Shape, Step
from tests.flows.writing import Behaviour, Ran


class Together(Behaviour):
    """Behaviours that do not stand in each other's way, shown by one run."""

    def __init__(self, name: str, *parts: type[Behaviour]) -> None:
        self.name = name
        self.parts = [part() for part in parts]
        self.header = "\n".join(textwrap.dedent(part.header) for part in self.parts)
        self.members = "\n".join(textwrap.dedent(part.members) for part in self.parts)
        self.options = tuple(option for part in self.parts for option in part.options)
        self.varying = frozenset(name for part in self.parts for name in part.varying)

    def heads(self, step: Step, shape: Shape) -> list[str]:
        return [head for part in self.parts for head in part.heads(step, shape)]

    def code(self, step: Step, shape: Shape) -> str:
        return "\n".join(textwrap.dedent(part.code(step, shape)) for part in self.parts)

    def check(self, ran: Ran) -> None:
        for part in self.parts:
            part.check(ran)


DATA = Together(
    "DataIsKept",
    ArtifactsAreHandedOn,
    ChangesInPlaceAreKept,
    HiddenAndDeletedArtifacts,
    ParametersAndConstantsAreEverywhere,
    WhatTheScriptDefinesIsStored,
)
FACTS = Together(
    "FactsAreTold",
    CurrentKnowsTheTask,
    PlaceInForeach,
    InputsComeInOrder,
    LogsAreCompleteAndInOrder,
    TagsAreOnTheRunAndItsParts,
    TheClientSeesEverything,
    EnvironmentIsTheStepsOwn,
    StandardInputIsEmpty,
    RandomStateDiffers,
    CardsExist,
)
BEHAVIOURS: tuple[Behaviour, ...] = (
    DATA,
    FACTS,
    MergingTellsConflicts(),
    RetryThenSuccess(),
    ExceptionsAreCaught(),
    DeathsAreCaught(),
    TimeoutsEndATask(),
    AFailureEndsTheRun(),
    ResumeRunsOnlyWhatIsNeeded(),
    ResumeFromAStep(),
    KeepGoingFinishesTheRest(),
    FailuresWithinTheBudgetAreLost(),
    CanariesGoFirst(),
)
