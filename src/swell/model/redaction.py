"""Takes the values of secrets out of short texts that are stored and shown; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from swell.model.record import ArtifactRef

MARK = "***"
LEAST_CHARS = 6
"""What is shorter is no secret worth the name, and stands in every other text by chance."""
RUN_CHARS = 12
"""As many characters of a secret in a row are taken out too: texts are cut somewhere."""
_CREDENTIALS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_CREDENTIAL_CHARS = 16  # placeholders such as 'testing' are shorter, a real one has 40


def credentials_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The AWS secrets among the variables of a process."""
    found = (environ.get(name, "") for name in _CREDENTIALS)
    return tuple(value for value in found if len(value) >= _CREDENTIAL_CHARS)


def previews_without(
    refs: Mapping[str, ArtifactRef], secrets: Iterable[str]
) -> dict[str, ArtifactRef]:
    """The same artifacts; no preview holds one of ``secrets``, or a good part of one."""
    forms = _forms(secrets)
    if not forms:
        return dict(refs)
    told = {}
    for name, ref in refs.items():
        preview = redacted(ref.preview, forms)
        told[name] = (
            ref if preview == ref.preview else msgspec.structs.replace(ref, preview=preview)
        )
    return told


def redacted(text: str, forms: Iterable[str]) -> str:
    """``text`` with a mark in place of each of ``forms`` and of long runs of one."""
    for form in forms:
        text = text.replace(form, MARK)
        if len(form) > RUN_CHARS:
            text = _without_runs(text, form)
    return text


def _forms(secrets: Iterable[str]) -> list[str]:
    """Each secret as it is and as ``repr`` writes it, longest first: one may hold another."""
    worth = {one for one in secrets if len(one) >= LEAST_CHARS}
    return sorted(worth | {repr(one)[1:-1] for one in worth}, key=lambda one: (-len(one), one))


def _without_runs(text: str, secret: str) -> str:
    kept: list[str] = []
    at = begun = 0
    while at + RUN_CHARS <= len(text):
        end = at + RUN_CHARS
        if text[at:end] not in secret:
            at += 1
            continue
        while end < len(text) and text[at : end + 1] in secret:
            end += 1
        kept += [text[begun:at], MARK]
        at = begun = end
    return "".join([*kept, text[begun:]])
