"""What a script's git repository says of itself, read from its files: no program is started.

The files are those of gitrepository-layout(5).
"""

from __future__ import annotations

import os

import msgspec


def git_info(folder: str) -> str | None:
    """JSON of ``branch_name``, ``commit_sha`` and ``repo_url``, what is known of them; None
    where ``folder`` is in no repository. Never raises.

    A user's name or a token in the address is left out.
    """
    try:
        own = _git_folder(folder)
        if own is None:
            return None
        shared = _shared_folder(own)
        head = _text(os.path.join(own, "HEAD"))
        facts = _commit(own, shared, head)
        facts["repo_url"] = _origin_url(_text(os.path.join(shared, "config")))
    except (OSError, ValueError):
        return None
    known = {name: value for name, value in facts.items() if value}
    return msgspec.json.encode(known).decode()


def _git_folder(folder: str) -> str | None:
    while True:
        path = os.path.join(folder, ".git")
        if os.path.isdir(path):
            return path
        if os.path.isfile(path):  # a worktree or a submodule
            target = _text(path).partition("gitdir:")[2].strip()
            return os.path.join(folder, target) if target else None
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _shared_folder(own: str) -> str:
    """Where the branches and the config are, which worktrees share."""
    path = os.path.join(own, "commondir")
    return os.path.join(own, _text(path).strip()) if os.path.isfile(path) else own


def _commit(own: str, shared: str, head: str) -> dict[str, str | None]:
    ref = head.partition("ref:")[2].strip()
    if not ref:
        return {"branch_name": None, "commit_sha": head.strip()}
    sha = None
    for folder in (own, shared):
        path = os.path.join(folder, ref)
        if os.path.isfile(path):
            sha = _text(path).strip()
            break
    else:
        sha = _packed(os.path.join(shared, "packed-refs"), ref)
    return {"branch_name": ref.removeprefix("refs/heads/"), "commit_sha": sha}


def _packed(path: str, ref: str) -> str | None:
    if not os.path.isfile(path):
        return None
    for line in _text(path).splitlines():
        sha, _, name = line.partition(" ")
        if name == ref:
            return sha
    return None


def _origin_url(config: str) -> str | None:
    """The address of the remote 'origin', else of the first remote."""
    urls: dict[str, str] = {}
    section = ""
    for line in config.splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text
        elif section.startswith('[remote "'):
            key, _, value = text.partition("=")
            if key.strip() == "url":
                urls.setdefault(section, value.strip())
    found = urls.get('[remote "origin"]') or next(iter(urls.values()), None)
    return None if found is None else _without_user(found)


def _without_user(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else url


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
