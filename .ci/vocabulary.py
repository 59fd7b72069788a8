"""Fail where words that docs/glossary.md rules out appear in code, comments, strings or Markdown.

    python .ci/vocabulary.py            check all files that git tracks
    python .ci/vocabulary.py FILE...    check these files

A rule looks at prose (comments, strings, and the text of Markdown) or at names (everything else).
"""

import re
import subprocess
import sys
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SUFFIXES = {".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".c", ".build", ".md", ".toml", ".yml"}
IGNORED = {
    "docs/glossary.md",  # says what not to write
    ".ci/vocabulary.py",
    "benchmarks/RESULTS.md",  # written by programs
    "benchmarks/SCALE.md",
    "benchmarks/SGD.md",
}


class Rule(NamedTuple):
    """A phrase, what to write instead, and regular expressions for both kinds of text."""

    phrase: str
    write: str
    prose: str = ""
    names: str = ""
    only: str = ""  # a regular expression for the files; all if empty


class Match(NamedTuple):
    """A phrase found in a file."""

    line: int
    found: str
    rule: Rule


_ONE = (
    "alpha|batch|case|chunk|class|column|core|element|entry|epoch|factor|feature|file|fold|group|"
    "iteration|kernel|level|model|node|output|partition|pass|penalty|rival|row|sample|second|"
    "split|step|target|thread|unit|value|variant|worker"
)
_COUNTED = (
    "adds|alphas?|bits?|bytes|call|cells|column|entry|files?|fits?|flops|gigabytes|lines?|"
    "multiplications|names?|numbers?|ns|one|ones|operations|pages|pairs?|pass|passes|products?|"
    "rates?|reads|rows|samples|sets|steps|sums|tasks|times|us|µs|ms|values?|weights?|"
    r"\d+ ?(?:[kMGT]?B|s)"
)

_GO = "(?:go|goes|going|went|gone)"

RULES = (
    # The vocabulary table.
    Rule("row number", "row index, row indices", r"\brow numbers?\b", r"(?:\b|_)row_numbers?\b"),
    Rule(
        "place",
        "position, index",
        r"(?<!\bin )(?<!take )(?<!takes )(?<!took )(?<!taking )(?<!last )(?<!decimal )(?<!two )"
        r"(?<!three )(?<!one )(?<!first )\bplaces?\b",
        r"(?<!\.)(?:\b|(?<!in)_)places?(?:\b|_)",
    ),
    Rule(
        "rate of each feature",
        "per-feature learning rate",
        r"\brates? (?:of|for) (?:each|every|a|the) features?\b",
    ),
    Rule("beside", "next to, in addition to, as well as", r"\bbeside\b", r"(?:\b|_)beside(?:\b|_)"),
    Rule(
        "round",
        "parameter averaging; say what is averaged and how often",
        r"\b(?:a|each|every|the|one|next|per|of) rounds?\b",
        r"\b(?:rounds|n_rounds)\b",
        r"fastridge/(?:linear_model/sgd|solvers/sgd|dask)",
    ),
    Rule("no model", "the null model", r"\b(?:of|than|to|from) no model\b"),
    Rule("slope", "derivative", r"(?<!calibration )\bslopes?\b", r"(?:\b|_)slopes?(?:\b|_)"),
    Rule(
        "descent",
        "coordinate descent, SGD worker or solver run",
        r"(?<!coordinate )(?<!gradient )(?<!coordinate-)\bdescent\b(?! direction)|\bdescents\b",
        r"\b\w*(?<!coordinate_)(?<!coordinate)(?<!gradient_)(?<!gradient)descents?\b",
        r"sgd|/dask/|/cli/|\.md$",
    ),
    Rule("ladder", "fallback chain", r"\bladders?\b", r"(?:\b|_)ladders?(?:\b|_)"),
    Rule("climb", "fallback chain", r"\bclimb\w*", r"(?:\b|_)climb"),
    Rule(
        "products",
        "cross-products, Gram matrix",
        r"(?<!cross-)\b(?:the|its|their|these|centred|and|of) products\b(?! (?:of|with|by|from)\b)",
    ),
    Rule(
        "spread",
        "standard deviation, sum of squares or range",
        r"\bspreads?\b(?! (?:over|across|by|out|among|between)\b)",
        r"(?:\b|_)spreads?(?:\b|_)",
    ),
    Rule("piece", "chunk, batch", r"\bpieces?\b", r"(?:\b|_)pieces?(?:\b|_)|\b_?Piece\b"),
    Rule(
        "part",
        "batch, chunk, shard",
        r"\bparts of (?:the )?rows\b|\brows of (?:a|the|each) parts?\b",
    ),
    Rule("share", "shard", r"\b(?:lists?|each) of shares\b", r"\bshares\b|\b_?Shares?\b"),
    Rule(
        "hand",
        "worker",
        r"\b(?:the|of|several|many|two) hands\b",
        r"\b_?hands\b",
    ),
    Rule("at hand", "available", r"\bat hand\b"),
    Rule(
        "lane",
        "worker, chunk; in SIMD code vector element",
        r"\blanes?\b",
        r"\b_?(?:lanes?|Lane)\b",
        r"\.(?:py|pyx|md)$",
    ),
    Rule("survey", "schema inference", r"\bsurvey\w*", r"(?:\b|_)(?:S|s)urvey"),
    Rule("first look", "schema inference", r"\bfirst look\b", r"\bfirst_look"),
    Rule(
        "ahead",
        "prefetch",
        r"\b(?:read|reads|reading|fetch|fetched|fetching|look|looks|looking|batch|batches|row|rows|"
        r"cache lines?|KiB) ahead\b",
        r"(?:\b|_)ahead(?:\b|_)",
    ),
    Rule("standards", "standardisation", r"(?<!institute of )\bstandards\b", r"\b_?[Ss]tandards\b"),
    Rule("offered", "supported; unsupported", r"\boffered\b", r"(?:\b|_)offered(?:\b|_)"),
    Rule(
        "edge",
        "grid boundary",
        r"\bedges? of (?:the|a|its|each) (?:\w+ )?grids?\b|\bgrid'?s? edges?\b",
        r"\b(?:grid_edge|edge_of_grid|at_edge)",
    ),
    Rule(
        "one a feature",
        "one per feature, for each row",
        rf"\b(?!fit a model\b)(?:{_COUNTED})(?: each)? an? (?:{_ONE})\b"
        rf"(?! (?:of|at|to|for|in|is|has|that)\b)(?! (?:{_ONE})s?\b)",
    ),
    Rule("so many", "n, that many", r"\bso many\b"),
    Rule("is none of", "is not one of", r"\b(?:is|are|was|were|be|that) none of\b"),
    Rule("where it has not", "otherwise", r"\bwhere (?:it|they|there) ha(?:s|ve) (?:not|none)\b"),
    Rule("go on", "resume, continue", rf"\b{_GO} on\b(?! to\b)", rf"_{_GO}_on(?:\b|_)"),
    Rule("left alone", "ignored, unchanged", r"\b(?:leave|leaves|left|let) alone\b"),
    # Docstrings: a verb first. "Return the ...", "Compute ...".
    Rule('"""Of', "a verb first", r'\A[rf]?"""Of\b'),
    Rule('"""What', "a verb first", r'\A[rf]?"""What\b'),
    Rule('"""Whether', '"Return whether ..."', r'\A[rf]?"""Whether\b'),
    Rule('"""How', "a verb first", r'\A[rf]?"""How\b'),
    Rule('"""Where', "a verb first", r'\A[rf]?"""Where\b'),
    Rule('"""As', "a verb first", r'\A[rf]?"""As\b'),
    Rule(
        "ValueError where",
        '"Raise ValueError if ..."',
        r"[;,.] (?:an? )?(?:\w+Error|\w+Warning) (?-i:where|for|if|saying|naming|unless)\b"
        r'|\A[rf]?"""\w+Error (?:or \w+Error )?(?:where|for|if|unless)\b',
    ),
    # Further words that a reader would stop at.
    Rule("anew", "again, from scratch", r"\banew\b", r"(?:\b|_)anew(?:\b|_)"),
    Rule("which see", "the text itself", r"\bwhich see\b"),
    Rule("let go", "released, dropped", r"\blets? go\b"),
    Rule("asked for", "requested", r"\b(?:what|is|are|was|were) asked for\b", r"_asked_for"),
    Rule("lent", "borrowed", r"\blent\b"),
    Rule("unheeded", "ignored, unused", r"\bunheeded\b", r"\bunheeded\b"),
)

_PYTHON = re.compile(
    r"[rbfuRBFU]{0,2}(?:"
    r'"""(?:[^\\]|\\.)*?"""|'
    r"'''(?:[^\\]|\\.)*?'''|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'(?:[^'\\\n]|\\.)*')|"
    r"#[^\n]*(?:\n[ \t]*#[^\n]*)*",
    re.DOTALL,
)
_C = re.compile(r'/\*.*?\*/|//[^\n]*(?:\n[ \t]*//[^\n]*)*|"(?:[^"\\\n]|\\.)*"', re.DOTALL)
_FENCE = re.compile(r"^```.*?^```|`[^`]*`", re.DOTALL | re.MULTILINE)


class Text(NamedTuple):
    """Lines joined by single spaces, and where each of them begins."""

    text: str
    starts: list[int]
    first_line: int

    def line(self, position: int) -> int:
        """Return the line of the file that holds this position."""
        return self.first_line + bisect(self.starts, position) - 1


def joined(segment: str, first_line: int) -> Text:
    """Return a segment of prose as one line, without the signs that begin a line of a comment."""
    lines = [
        re.sub(r"^\s*(?:#|//|/?\*(?!\*)|>)*\s*|\s+$", "", line) for line in segment.split("\n")
    ]
    starts, position = [], 0
    for line in lines:
        starts.append(position)
        position += len(line) + 1
    return Text(" ".join(lines), starts, first_line)


def split(path: str, content: str) -> tuple[list[Text], list[Text]]:
    """Return the prose and the names of a file."""
    prose: list[Text] = []
    names: list[Text] = []
    markdown = path.endswith(".md")
    pattern = _FENCE if markdown else _C if path.endswith((".h", ".c")) else _PYTHON
    begin, line = 0, 1
    for match in [*pattern.finditer(content), None]:
        end = match.start() if match else len(content)
        between = content[begin:end]
        (prose if markdown else names).append(joined(between, line))
        line += between.count("\n")
        if match:
            (names if markdown else prose).append(joined(match[0], line))
            line += match[0].count("\n")
            begin = match.end()
    return prose, names


def matches(path: str, content: str) -> Iterator[Match]:
    """Yield every phrase of the rules in a file, by line."""
    texts = split(path, content)
    found = []
    for rule in RULES:
        if rule.only and not re.search(rule.only, path):
            continue
        for pattern, kind in zip((rule.prose, rule.names), texts, strict=True):
            if not pattern:
                continue
            compiled = re.compile(pattern, re.IGNORECASE if pattern is rule.prose else 0)
            for text in kind:
                found += [
                    Match(text.line(match.start()), match[0], rule)
                    for match in compiled.finditer(text.text)
                ]
    yield from sorted(found, key=lambda match: match.line)


def tracked() -> list[str]:
    """Return the files to check."""
    listed = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout
    return [
        path
        for path in dict.fromkeys(listed.splitlines())  # a conflict lists a file three times
        if path not in IGNORED
        and (Path(path).suffix in SUFFIXES or path == ".ci/run")
        and Path(path).is_file()
    ]


def main(paths: list[str]) -> int:
    """Check the files and print what is wrong; return the exit status."""
    failed = False
    for path in paths or tracked():
        for match in matches(path, Path(path).read_text(encoding="utf-8")):
            failed = True
            print(f"{path}:{match.line}: {match.found!r}: write {match.rule.write}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
