"""Everything that making a card needs, loaded at once.

Imported before the run by the process that tasks are forked from: 60 tasks with a card
take a third of the time they take when each loads these modules for itself.
"""

from __future__ import annotations

import inspect as inspect

from swell.authoring import parse as parse
from swell.authoring import shape as shape
from swell.cards import child as child
from swell.cards import current_card as current_card
from swell.cards import pictures as pictures
from swell.cards import render as render
from swell.cards import subject as subject
from swell.cards import tables as tables
from swell.cards import timeline as timeline
from swell.cards import viewers as viewers
