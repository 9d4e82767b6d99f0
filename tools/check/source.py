"""What the rules know of a C file: its lines, its code without comments and literals, its functions."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

# Comments, character and string literals; the alternatives are tried in this order at each place.
_TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|'(?:\\.|[^'\\\n])+'|\"(?:\\.|[^\"\\\n])*\"", re.S)
_NAME_BEFORE_PAREN = re.compile(r"(\w+)\s*\(")
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)


@dataclass(frozen=True)
class Function:
    name: str
    line: int  # of the opening brace, 1-based
    body_lines: int


@dataclass
class Source:
    """One C file, at `path` relative to the root of the repository."""

    path: str
    text: str
    strings: list = field(default_factory=list, repr=False)  # (line, literal without quotes)

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @cached_property
    def code(self):
        """The text with comments and the insides of literals blanked; line numbers stay."""
        self.strings.clear()
        out, last = [], 0
        line, counted = 1, 0
        for token in _TOKEN.finditer(self.text):
            out.append(self.text[last : token.start()])
            text = token.group()
            if text[0] == '"':
                line += self.text.count("\n", counted, token.start())
                counted = token.start()
                self.strings.append((line, text[1:-1]))
                out.append('""')
            elif text[0] == "'":
                out.append("0")
            else:
                out.append(" " + "\n" * text.count("\n"))
            last = token.end()
        out.append(self.text[last:])
        return "".join(out)

    @cached_property
    def string_literals(self):
        self.code  # fills the list
        return self.strings

    @cached_property
    def includes(self):
        """(line, path) of every #include "…"."""
        return [
            (line_of(self.text, m.start(1)), m.group(1)) for m in _INCLUDE.finditer(self.text)
        ]

    @cached_property
    def functions(self):
        """Definitions, found by clang-format's layout: braces alone in the first column."""
        found, start = [], None
        lines = self.code.split("\n")
        for number, line in enumerate(lines, 1):
            if line.rstrip() == "{":
                start = number
            elif line.startswith("}") and start is not None:
                found.append(Function(_name_above(lines, start), start, number - start - 1))
                start = None
        return found


def _name_above(lines, brace_line):
    """The function's name: the last `name(` that starts a parameter list above the brace."""
    head = []
    for line in reversed(lines[max(0, brace_line - 12) : brace_line - 1]):
        if not line.strip() or line.startswith(("}", "#")) or line.rstrip().endswith(";"):
            break
        head.insert(0, line)
        if not line.startswith((" ", "\t")):
            break
    names = _NAME_BEFORE_PAREN.search(" ".join(head))
    return names.group(1) if names else "?"


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def read(root, path):
    return Source(path, (Path(root) / path).read_text(encoding="utf-8", errors="replace"))
