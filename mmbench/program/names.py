"""Local variables by number, so that a program under other local names has the same syntax tree.

Renamed are variables of functions and comprehensions and positional-only parameters. Everything that a caller, or the
program itself, can see by name stays: other parameters, attributes, names of a class body, nested functions and
classes, local imports, names of two underscores.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

# With these a program can read its own variables by name: then nothing is renamed.
_READING_CALLS = frozenset({"dir", "eval", "exec", "locals", "vars", "__builtins__", "__import__"})
_READING_MODULES = frozenset({"builtins", "importlib", "inspect"})
_READING_ATTRIBUTES = frozenset({"_getframe", "__code__", "f_locals", "f_code"})


@dataclass
class _Scope:
    kind: Literal["module", "class", "function", "comprehension"]
    parent: _Scope | None = None
    bound: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    outer: set[str] = field(default_factory=set)  # declared global
    foreign: set[str] = field(default_factory=set)  # declared nonlocal

    def bind(self, name: str, *, keep: bool = False) -> None:
        self.bound.add(name)
        if keep or name.startswith("__"):
            self.kept.add(name)

    def owner(self, name: str) -> _Scope | None:
        """The function or comprehension whose variable ``name`` is here; None for names of a module or class."""
        scope: _Scope | None = self
        while scope is not None and scope.kind != "module":
            if name in scope.outer:
                return None
            if name in scope.bound - scope.foreign and (scope is self or scope.kind != "class"):
                return None if scope.kind == "class" else scope
            scope = scope.parent
        return None


class _Visitor(ast.NodeVisitor):
    """Collects every place of a name that may be a variable, with its scope."""

    def __init__(self) -> None:
        self.scope = _Scope("module")
        self.places: list[tuple[ast.AST, str, int | None, _Scope]] = []

    def place(self, node: ast.AST, attribute: str, index: int | None = None) -> None:
        self.places.append((node, attribute, index, self.scope))

    def visit_all(self, *parts: Any) -> None:
        for part in parts:
            for node in part if isinstance(part, list) else [part]:
                if isinstance(node, ast.AST):
                    self.visit(node)

    def within(self, kind: Literal["class", "function", "comprehension"], *parts: Any, given: Any = None) -> None:
        self.scope = _Scope(kind, self.scope)
        if given is not None:
            self.parameters(given)
        self.visit_all(*parts)
        assert self.scope.parent is not None
        self.scope = self.scope.parent

    def parameters(self, given: ast.arguments) -> None:
        for parameter in given.posonlyargs:
            self.scope.bind(parameter.arg)
            self.place(parameter, "arg")
        for parameter in (*given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))):
            self.scope.bind(parameter.arg, keep=True)

    def outside(self, given: ast.arguments) -> None:
        """What of the parameters is read where the function is defined: defaults and annotations."""
        every = (*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg)))
        self.visit_all(given.defaults, given.kw_defaults, [each.annotation for each in every])

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.scope.bind(node.id)
        self.place(node, "id")

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.scope.bind(node.name, keep=True)
        self.visit_all(node.decorator_list, node.returns)
        self.outside(node.args)
        self.within("function", node.body, given=node.args)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.outside(node.args)
        self.within("function", node.body, given=node.args)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.scope.bind(node.name, keep=True)
        self.visit_all(node.decorator_list, node.bases, node.keywords)
        self.within("class", node.body)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> None:
        self.comprehension(node.generators, node.elt)

    visit_SetComp = visit_GeneratorExp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self.comprehension(node.generators, node.key, node.value)

    def comprehension(self, generators: list[ast.comprehension], *results: ast.expr) -> None:
        first, *rest = generators
        self.visit(first.iter)  # read outside
        self.within("comprehension", first.target, first.ifs, rest, *results)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        inner = self.scope
        while self.scope.kind == "comprehension" and self.scope.parent is not None:
            self.scope = self.scope.parent
        self.visit(node.target)
        self.scope = inner
        self.visit(node.value)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.bound_by(node, "name")

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.bound_by(node, "name")

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.bound_by(node, "name")

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.bound_by(node, "rest")

    def bound_by(self, node: ast.AST, attribute: str) -> None:
        if name := getattr(node, attribute):
            self.scope.bind(name)
            self.place(node, attribute)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.scope.bind(alias.asname or alias.name.partition(".")[0], keep=True)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.visit_Import(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.outer |= set(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.foreign |= set(node.names)
        for index in range(len(node.names)):
            self.place(node, "names", index)


def rename_locals(tree: ast.Module) -> None:
    """Give each local variable of ``tree`` the name ``$0``, ``$1`` and so on, in the order in which they are met."""
    if any(_reads_names(node) for node in ast.walk(tree)):
        return
    visitor = _Visitor()
    visitor.visit(tree)
    numbers: dict[tuple[int, str], str] = {}
    for node, attribute, index, scope in visitor.places:
        value = getattr(node, attribute)
        name = value if index is None else value[index]
        owner = scope.owner(name)
        if owner is None or name in owner.kept:
            continue
        new = numbers.setdefault((id(owner), name), f"${len(numbers)}")
        if index is None:
            setattr(node, attribute, new)
        else:
            value[index] = new


def _reads_names(node: ast.AST) -> bool:
    """Whether the program can read variables by their names here, or has scopes that are not followed."""
    if isinstance(node, ast.Name):
        return node.id in _READING_CALLS
    if isinstance(node, ast.Attribute):
        return node.attr in _READING_ATTRIBUTES
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any(name.partition(".")[0] in _READING_MODULES for name in _imported(node))
    return bool(getattr(node, "type_params", None)) or type(node).__name__ == "TypeAlias"


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    yield from [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
