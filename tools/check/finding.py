"""What a rule reports, and the list of accepted exceptions."""

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    what: str  # the short word that an exception names: a function, a call, an include
    text: str
    is_warning: bool = False

    def __str__(self):
        kind = "warning: " if self.is_warning else ""
        return f"{self.path}:{self.line}: {kind}{self.text} [{self.rule} {self.what}]"


@dataclass
class Exception_:
    line: int
    rule: str
    path: str
    what: str
    used: bool = False

    def covers(self, finding):
        return (
            self.rule == finding.rule
            and fnmatch.fnmatchcase(finding.path, self.path)
            and fnmatch.fnmatchcase(finding.what, self.what)
        )


def parse_exceptions(text, path):
    """Lines `RULE PATH WHAT -- reason` (* allowed in PATH and WHAT); returns (exceptions, findings
    about lines that are no such thing)."""
    exceptions, bad = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        head, dashes, reason = line.partition(" -- ")
        parts = head.split()
        if not dashes or len(parts) != 3 or len(reason.strip()) < 10:
            bad.append(Finding("exceptions", path, number, "form",
                               "write it as: RULE PATH WHAT -- the reason, in words"))
        else:
            exceptions.append(Exception_(number, *parts))
    return exceptions, bad


def apply_exceptions(findings, exceptions, path):
    """Findings that nothing covers, plus one for each exception that covered nothing."""
    left = []
    for finding in findings:
        covering = [e for e in exceptions if e.covers(finding)]
        for e in covering:
            e.used = True
        if not covering:
            left.append(finding)
    left += [
        Finding("exceptions", path, e.line, "unused",
                f"nothing needs the exception '{e.rule} {e.path} {e.what}' any more; delete it")
        for e in exceptions
        if not e.used
    ]
    return left
