"""The canonical text of a module: one text for programs that differ only in how they are written down.

It is careful rather than clever: where the program itself could see a difference, the texts differ. Left out are
formatting, comments, and

- docstrings, unless the module reads ``__doc__``;
- annotations of variables and of undecorated functions. They stay in class bodies and on decorated functions, where
  dataclasses, pydantic and registries read them;
- what stands under ``if TYPE_CHECKING``, and imports from ``typing`` and the like that nothing else uses;
- the module within the package from which a name is imported, and the order of such imports;
- the names of local variables (``mmbench.program.names``).
"""

from __future__ import annotations

import ast
import functools
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mmbench.program.names import rename_locals

PACKAGE = "mmbench"
_FLAG = "TYPE_CHECKING"
_ANNOTATING = frozenset({"__future__", "typing", "typing_extensions", "collections.abc", "numpy.typing"})
_LEFT_OUT = frozenset({"type_comment", "type_ignores", "kind", "ctx"})

_PARSING = threading.Lock()
_MARK = "\0"  # never in a text: repr writes it as an escape


def canonical(source: str) -> str:
    """A module's text; equal texts mean equal programs, given that what they import is equal. Raises SyntaxError."""
    return template(source).filled(lambda module, name: name)


def parsed(source: str) -> ast.Module:
    """``ast.parse`` for several threads. Raises SyntaxError.

    One thread at a time: CPython 3.11 counts the depth of the tree once for all threads, and raises SystemError when
    a callback of the garbage collector lets another thread parse meanwhile.
    """
    with _PARSING:
        return ast.parse(source)


@dataclass(frozen=True)
class Template:
    """A text with a mark, ``\\0``, for each of ``imports``: module and name of what comes from within the package.

    The name is empty where a module of the first level is imported (``import helper``).
    """

    text: str
    imports: tuple[tuple[str, str], ...]

    def filled(self, place: Callable[[str, str], str]) -> str:
        """The text with what ``place`` says of each module and name; it is asked in the order of the text."""
        first, *others = self.text.split(_MARK)
        return "".join([first, *(repr(place(*each)) + text for each, text in zip(self.imports, others, strict=True))])


@functools.lru_cache(maxsize=4096)
def template(
    source: str,
    within: str = "",
    tops: frozenset[str] = frozenset({PACKAGE}),
    edit: Callable[[ast.Module], None] | None = None,
) -> Template:
    """The text of a module, whose syntax tree ``edit`` may change first.

    ``within`` is the package of the module, to which relative imports refer; ``tops`` are the packages whose modules
    may move. Raises SyntaxError.
    """
    tree = parsed(source)
    if edit is not None:
        edit(tree)
    _Stripped(tree).visit(tree)
    rename_locals(tree)
    imports = _Imports(tree, within, tops)
    return Template(_text(tree, imports), tuple(imports.found))


class _Stripped(ast.NodeTransformer):
    """Takes out of a tree what does not run: docstrings, annotations that nothing reads, imports for type checkers."""

    def __init__(self, tree: ast.Module) -> None:
        self.documented = any(
            getattr(node, "id", getattr(node, "attr", None)) == "__doc__"
            for node in ast.walk(tree)
            if isinstance(node, ast.Name | ast.Attribute)
        )
        self.flag, self.typing = _flags(tree)
        self.inside: list[ast.AST] = []

    def generic_visit(self, node: ast.AST) -> ast.AST:
        self.inside.append(node)
        super().generic_visit(node)
        self.inside.pop()
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        bare = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if bare and not self.documented else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> Any:
        test = node.test
        named = isinstance(test, ast.Name) and test.id == _FLAG and self.flag
        reached = (
            isinstance(test, ast.Attribute)
            and test.attr == _FLAG
            and isinstance(test.value, ast.Name)
            and test.value.id == "typing"
            and self.typing
        )
        if not (named or reached):
            return self.generic_visit(node)
        kept: list[ast.stmt] = []
        for statement in node.orelse:
            found = self.visit(statement)
            kept += found if isinstance(found, list) else [] if found is None else [found]
        return kept

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if not node.decorator_list:
            given = node.args
            node.returns = None
            for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
                if each is not None:
                    each.annotation = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit_FunctionDef(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        place = next((each for each in reversed(self.inside) if isinstance(each, _SCOPES)), None)
        if isinstance(place, ast.ClassDef):
            return node
        if node.value is not None:
            return ast.Assign(targets=[node.target], value=node.value)
        if place is None and isinstance(node.target, ast.Name):
            return None
        del node.annotation  # the statement stays: in a function it makes the name a local one
        return node


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _flags(tree: ast.Module) -> tuple[bool, bool]:
    """Whether the names ``TYPE_CHECKING`` and ``typing``, wherever they stand, are those of the standard library."""
    bound: dict[str, set[str]] = {_FLAG: set(), "typing": set()}
    for node in ast.walk(tree):
        for name, meaning in _bindings(node):
            bound.setdefault(name, set()).add(meaning)
    star = "*" in bound
    return bound[_FLAG] == {f"typing.{_FLAG}"} and not star, bound["typing"] == {"typing"} and not star


def _bindings(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that a node binds, with the dotted name of what is imported under them, or ""."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], alias.name
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"{'.' * node.level}{node.module or ''}.{alias.name}"
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id, ""
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchAs):
        yield node.name or "", ""
    elif isinstance(node, ast.arg):
        yield node.arg, ""


class _Imports:
    """How the imports of a module are written: those of the package by name and sorted, others as they stand."""

    def __init__(self, tree: ast.Module, within: str, tops: Collection[str]) -> None:
        self.within, self.tops = within, tops
        self.found: list[tuple[str, str]] = []
        self.used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.used.add(node.value)  # as in __all__
            if getattr(node, "annotation", None) or getattr(node, "returns", None):
                self.used.add("annotations")

    def lines(self, statements: list[ast.Import | ast.ImportFrom]) -> list[str]:
        """A run of import statements, one line a name."""
        found = [line for statement in statements for line in self._each(statement)]
        bound = [name for _, name, _ in found]
        if len(set(bound)) == len(bound) and "*" not in bound:  # else the order decides what a name means
            found.sort(key=lambda line: (line[0] is not None, line[0] or ()))
        return [write() for _, _, write in found]

    def _each(
        self, statement: ast.Import | ast.ImportFrom
    ) -> Iterator[tuple[tuple[str, str] | None, str, Callable[[], str]]]:
        """A key to sort by (None outside the package), the name that is bound, and what is written."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                top, bound = alias.name.partition(".")[0], alias.asname or alias.name.partition(".")[0]
                if top not in self.tops or alias.name == PACKAGE:
                    yield None, bound, lambda alias=alias: f"Import({alias.name!r},{alias.asname!r})"  # type: ignore[misc]
                    continue
                if "." not in alias.name:
                    yield (alias.name, bound), bound, self._writer(alias.name, "", repr(bound))
                    continue
                module, _, name = alias.name.rpartition(".")
                said = name if alias.asname else alias.name
                yield (said, bound), bound, self._writer(module, name, f"{alias.asname!r},{said!r}")
            return
        module = self._absolute(statement)
        ours = statement.level > 0 or module.partition(".")[0] in self.tops
        for alias in statement.names:
            bound = alias.asname or alias.name
            if ours:
                yield (alias.name, bound), bound, self._writer(module, alias.name, repr(bound))
            elif module not in _ANNOTATING or bound != alias.name or bound in self.used:
                yield None, bound, lambda alias=alias: f"From({module!r},{alias.name!r},{alias.asname!r})"  # type: ignore[misc]

    def _writer(self, module: str, name: str, bound: str) -> Callable[[], str]:
        def write() -> str:
            self.found.append((module, name))
            return f"Own({_MARK},{bound})"

        return write

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        parts = self.within.split(".")
        base = parts[: len(parts) - statement.level + 1]
        return ".".join([*base, *([statement.module] if statement.module else [])])


def _text(node: Any, imports: _Imports) -> str:
    """A node without empty fields, since Python versions differ in them."""
    if isinstance(node, list):
        return f"[{','.join(_items(node, imports))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for name, value in ast.iter_fields(node):
        if name not in _LEFT_OUT and value is not None and value != []:
            parts.append(f"{name}={_text(value, imports)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _items(nodes: list[Any], imports: _Imports) -> Iterator[str]:
    for are_imports, run in groupby(nodes, key=lambda node: isinstance(node, ast.Import | ast.ImportFrom)):
        if are_imports:
            yield from imports.lines(list(run))
        else:
            yield from (_text(node, imports) for node in run if not isinstance(node, ast.Pass))
