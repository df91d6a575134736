"""The user's side: the text of the loader, and the zip file of the supervisor."""

from __future__ import annotations

import ast
import binascii
import hashlib
import importlib.util
import io
import marshal
import os
import zipfile
import zlib

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_ROOM = "swell.bootstrap"
_LOADED = ("signing", "address", "sources", "folders", "loader")
"""What the loader holds, each behind those it imports."""
_OLDEST = (3, 8)
_START = """\
import sys
if sys.version_info<{oldest}:
 sys.stderr.write("swell: the image has Python %s, and at least {name} is needed to start.\\n"
%sys.version.split()[0]);sys.exit(78)
import gc,os
gc.disable()
if not getattr(sys.flags,"safe_path",0):del sys.path[0]
env=os.environ.get
named=env("PYTHONPATH")
if named:
 named={{os.path.abspath(one) for one in named.split(":")}}
 sys.path.sort(key=named.__contains__)
import hashlib
wanted=env("SWELL_BOOTSTRAP","").partition("#")[2]
path=os.path.join(env("SWELL_LAYER_CACHE",""),wanted+".zip")
try:
 with open(path,"rb") as file:found=hashlib.sha256(file.read()).hexdigest()
except OSError:found=""
if found and found==wanted:
 sys.path.insert(0,path)
 from swell.bootstrap.loader import load
 del sys.path[0]
else:
 import zlib,binascii
 exec(zlib.decompress(binascii.a2b_base64("{packed}")))
sys.exit(load())"""


def loader_program() -> str:
    """The program that a container starts with, for ``python -u -c``: the same for every
    submission, below 7 kB.

    It looks for modules last in what PYTHONPATH names, and not in the folder it is started in: a
    file json.py there must not matter. The flow's process is a fork of it, hence no ``-I``. What
    another attempt has left in the cache is compiled already, and its hash is looked at.
    """
    packed = binascii.b2a_base64(zlib.compress(_bundle().encode(), 9), newline=False).decode()
    name = ".".join(map(str, _OLDEST))
    return _START.format(oldest=_OLDEST, name=name, packed=packed)


def bootstrap_zip() -> tuple[bytes, str]:
    """The supervisor as a zip file, and its SHA-256; the same bytes for the same sources.

    Each module is in there as source and compiled by this Python, whose like is in the image
    as a rule: compiling takes longer than all else that an attempt needs to start (90 ms
    against 15). Another Python finds that it cannot use what is compiled, and takes the source.
    """
    modules = sorted(name for name in os.listdir(_FOLDER) if name.endswith(".py"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        # swell itself is not in there: its package is empty.
        _add_module(archive, "swell/__init__.py", '"""Holds the bootstrap only."""\n')
        for name in modules:
            if name != os.path.basename(__file__):
                _add_module(archive, f"swell/bootstrap/{name}", _read(name))
    data = buffer.getvalue()
    return data, hashlib.sha256(data).hexdigest()


def _add_module(archive: zipfile.ZipFile, name: str, source: str) -> None:
    _add(archive, name, source.encode())
    code = compile(source, name, "exec", dont_inherit=True, optimize=2)
    # Unchecked (PEP 552). Version 2 of marshal writes no references, whose places depend on
    # what else the process holds.
    head = importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + importlib.util.source_hash(source.encode())
    _add(archive, f"{name}c", head + marshal.dumps(code, 2))


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _read(name: str) -> str:
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return file.read()


def _bundle() -> str:
    """The loader and what it imports as one program, without docstrings and comments."""
    program = "from __future__ import annotations\n"
    for module in _LOADED:
        tree = ast.parse(_read(f"{module}.py"))
        program += ast.unparse(ast.fix_missing_locations(_Stripped().visit(tree))) + "\n"
    return program


class _Stripped(ast.NodeTransformer):
    """Drops what running does not need: docstrings, annotations, imports of this room."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        module = node.module or ""
        is_dropped = module == "__future__" or module.startswith(f"{_ROOM}.")
        return None if is_dropped and module != f"{_ROOM}.supervisor" else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        is_for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if is_for_types else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return ast.Assign(targets=[node.target], value=self.visit(node.value))

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._with_body(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._with_body(node)

    def _with_body(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node
