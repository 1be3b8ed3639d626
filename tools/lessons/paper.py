"""`tapstack lesson T1 --print OUT`: a lesson on paper. Questions have room for answers, and the answers are at the end.

The page is one HTML file without a script, for A4. What a run shows, what is stated of it and what a clause is for
would give answers away: so all of it stands behind the answers, as figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from .answers import LETTERS, Question
from .blocks import Block, Break, Console, Expect, Lesson, Look, Predict, Run, Text
from .breaks import sentence
from .check import Runs, question
from .in_words import broken, facts
from .look import lines
from .parse import FENCE

COLUMNS = 120  # of figures
DEEPEST = 12  # columns before the bits of a field
LONGEST_TEXT = 12  # lines of a text in the Python of a run
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
@page { size: A4; margin: 12mm 13mm 13mm }
html { font: 9.2pt/1.27 Georgia, "Times New Roman", serif; color: #000; background: #fff }
body { max-width: 184mm; margin: 0 auto }
main, .columns { columns: 2; column-gap: 6mm }
main > pre, main > table { column-span: all }
h1 { font-size: 15pt; margin: 0 } h2 { font-size: 11.5pt; margin: 3mm 0 1mm }
h3, h4 { font-size: 10pt; margin: 2mm 0 .5mm }
h1, h2, h3, h4, .number { break-after: avoid }
p, ol, ul { margin: 1mm 0; orphans: 2; widows: 2 } ul { padding-left: 5mm }
code, pre { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 8pt }
pre { font-size: 6.8pt; line-height: 1.2; white-space: pre-wrap; overflow-wrap: anywhere; margin: 1.5mm 0;
  padding: 1mm 2mm; border-left: .5mm solid #000 }
table { border-collapse: collapse; margin: 1.5mm 0 } th, td { border: .2mm solid #000; padding: .4mm 1.5mm;
  text-align: left; vertical-align: top }
.facts, .name { margin: .5mm 0 2mm } .name span { display: inline-block; width: 70mm; border-bottom: .2mm solid #000 }
.question { break-inside: avoid; border: .3mm solid #000; padding: .5mm 2mm 1.5mm; margin: 2mm 0 }
.question:has(pre) { break-inside: auto } .question pre { font-size: 5.8pt; padding: 0; border: 0 }
.number { font-weight: bold; margin: 0 } .question ol { list-style: lower-alpha; margin: .5mm 0 .5mm 6mm; padding: 0 }
.room { height: 5.5mm; border-bottom: .2mm solid #000; width: 60mm }
#answers { break-before: page; font-size: 8.5pt } .answer { margin: 0 0 1.5mm } .answer p, .answer ul { margin: .2mm 0 }
"""
INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\([^)]*\)")
ITEM = re.compile(r"(- |\d{1,2}\. )(.*)")


def page(lesson: Lesson, runs: Runs, words: dict[str, str], language: str) -> str:
    """Return the page of a lesson. Raises LessonError, as the lesson itself would."""
    return "".join(Paper(lesson, runs, words).page(language))


class Paper:
    """Makes the page of one lesson: its parts in order, then the answers, then the figures."""

    def __init__(self, lesson: Lesson, runs: Runs, words: dict[str, str]) -> None:
        self.lesson, self.runs, self.words = lesson, runs, words
        self.answers: list[str] = []
        self.figures: list[str] = []
        self.count = 0

    def page(self, language: str) -> Iterator[str]:
        """Yield the parts of the page."""
        title = escape(f"{self.lesson.number} {self.lesson.title}")
        facts = escape(" · ".join(f"{key} {value}" for key, value in self.lesson.facts.items()))
        yield f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{title}</title>\n'
        yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style>\n'
        yield f'<h1>{title}</h1>\n<p class="facts">{facts}\n<p class="name">{self.words["name"]} <span></span></p>\n'
        yield "<main>\n"
        for block in self.lesson.blocks:
            yield from self.block(block)
        yield "</main>\n"
        yield f'<section id="answers"><h1>{title}: {self.words["answers"]}</h1>\n'
        yield f'<div class="columns">{"".join(self.answers)}</div>\n'
        yield from self.figures
        yield "</section></html>\n"

    def block(self, block: Block) -> Iterator[str]:
        """Yield what the learner gets of a block, and keep what belongs to the answers."""
        if isinstance(block, Text):
            yield from html_of(block.markdown)
        elif isinstance(block, Run):
            yield verbatim(shortened(block.source.rstrip("\n").split("\n")))
        elif isinstance(block, Predict):
            for turn in range(block.times):
                yield from self.question(question(self.lesson, block, self.runs, turn), block.prompt)
        elif isinstance(block, Console):
            for command in block.commands:
                yield verbatim([f"$ {command.words}", *command.output])
        else:
            yield self.figure(block)

    def figure(self, block: Expect | Break | Look) -> str:
        """Keep what a block shows as a figure, and return the words that refer to it."""
        told, after = "", ""
        if isinstance(block, Expect):
            told, shown = self.words["holds"], listed(facts(self.lesson, block))
        elif isinstance(block, Break):
            told = f"{sentence(block.clause, self.lesson.language)} {self.words['broken'].format(clause=block.clause)}"
            items, after = broken(self.lesson, block, self.runs[block.run, ""], self.words)
            shown = listed(items)
        else:
            shown = verbatim(list(lines(block, self.runs[block.run, block.without], COLUMNS)))
        name = self.words["figure"].format(number=len(self.figures) + 1)
        told, after = (f"<p>{escape(each)}</p>\n" if each else "" for each in (told, after))
        self.figures.append(f"<h3>{name}</h3>\n{told}{shown}{after}")
        return f"<p><em>{self.words['behind'].format(figure=name)}</em></p>\n"

    def question(self, asked: Question, introduction: str) -> Iterator[str]:
        """Yield a question with room for its answer, and keep the answer."""
        self.count += 1
        number = self.words["question"].format(number=self.count)
        yield f'<div class="question"><p class="number">{number}</p>\n'
        if introduction != asked.prompt:
            yield from html_of(introduction)
        yield from html_of(asked.prompt)
        if asked.shown:
            yield verbatim(narrow(asked.shown))
        if asked.kind == "altered":
            yield verbatim([item.text for item in asked.items])
        elif asked.items:
            yield f"<ol>{''.join(f'<li>{inline(item.text)}</li>' for item in asked.items)}</ol>\n"
        yield '<div class="room"></div></div>\n'
        self.answers.append("".join(answer(number, asked)))


def answer(number: str, asked: Question) -> Iterator[str]:
    """Yield the answer of a question, and what is to be said of the wrong ones."""
    yield f'<div class="answer"><p class="number">{number}: {escape(asked.right)}</p>\n'
    if asked.because:
        yield f"<p>{inline(asked.because)}</p>\n"
    told = [(LETTERS[place], item.reason) for place, item in enumerate(asked.items) if item.reason]
    told += asked.hints
    if told:
        yield f"<ul>{''.join(f'<li><b>{escape(what)}</b>: {inline(reason)}</li>' for what, reason in told)}</ul>\n"
    yield "</div>\n"


# --- Markdown


def inline(text: str) -> str:
    """Return a text with its code and its emphasis as HTML; links lose their target."""
    made, end = [], 0
    for found in INLINE.finditer(text):
        made.append(escape(text[end : found.start()]))
        code, strong, emphasis, link = found.groups()
        tag = "code" if code else "b" if strong else "em" if emphasis else "span"
        made.append(f"<{tag}>{escape(code or strong or emphasis or link)}</{tag}>")
        end = found.end()
    return "".join(made) + escape(text[end:])


def verbatim(shown: list[str] | tuple[str, ...]) -> str:
    """Return lines as they stand."""
    return f"<pre>{escape(chr(10).join(shown))}</pre>\n"


def listed(shown: list[str]) -> str:
    """Return sentences as a list."""
    return f'<ul class="columns">{"".join(f"<li>{escape(each)}</li>" for each in shown)}</ul>\n'


def shortened(source: list[str]) -> list[str]:
    """Return Python without the lines of a long text, such as the octets of a capture."""
    kept: list[str] = []
    begin = -1
    for line in source:
        kept.append(line)
        if line.count('"""') != 1:
            continue
        if begin >= 0 and len(kept) - begin > LONGEST_TEXT:
            kept[begin + 1 : -1] = [f"... ({len(kept) - begin - 2} lines)"]
        begin = -1 if begin >= 0 else len(kept) - 1
    return kept


def narrow(shown: Iterable[str]) -> list[str]:
    """Return the fields of a header for half of a page: a field is one line, which the browser may wrap."""
    kept: list[str] = []
    for line in shown:
        if kept and len(line) - len(line.lstrip()) > DEEPEST:  # the line before goes on
            kept[-1] += f" {line.strip()}"
        else:
            kept.append(re.sub(r"(?<=\S) {2,}", "  ", line))
    return kept


def html_of(markdown: str) -> Iterator[str]:
    """Yield the Markdown of a lesson as HTML: headings, paragraphs, lists, tables, code."""
    kind, kept, is_fenced = "", list[str](), False
    for line in [*markdown.split("\n"), ""]:
        if FENCE.match(line):
            is_fenced, now, text = not is_fenced, "", ""
        else:
            now, text = kind_of(line, kind, is_fenced)
        if now != kind or now == "heading":
            yield from part(kind, kept)
            kind, kept = now, []
        if now:
            kept.append(text)
    yield from part(kind, kept)


def kind_of(line: str, before: str, is_fenced: bool) -> tuple[str, str]:
    """Return what a line is a part of, and its text."""
    if is_fenced or (line.startswith("    ") and before not in ("item", "number")):
        return "code", line if is_fenced else line[4:]
    if line.startswith("#"):
        return "heading", line
    if line.startswith("|"):
        return "table", line
    if found := ITEM.match(line):
        return "item" if found[1] == "- " else "number", f"\n{found[2]}"
    if not line.strip():
        return "", ""
    return before if before in ("item", "number") else "paragraph", line.strip()


def part(kind: str, kept: list[str]) -> Iterator[str]:
    """Yield lines of one kind as HTML."""
    if kind == "code":
        yield verbatim(kept)
    elif kind == "heading":
        level = min(len(kept[0]) - len(kept[0].lstrip("#")), 4)
        yield f"<h{level}>{inline(kept[0].lstrip('# '))}</h{level}>\n"
    elif kind == "table":
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in kept]
        body = "".join(row("th" if place == 0 else "td", cells) for place, cells in enumerate(rows) if place != 1)
        yield f"<table>{body}</table>\n"
    elif kind in ("item", "number"):
        tag = "ul" if kind == "item" else "ol"
        items = " ".join(kept).split("\n")[1:]
        yield f"<{tag}>{''.join(f'<li>{inline(text.strip())}</li>' for text in items)}</{tag}>\n"
    elif kind:
        yield f"<p>{inline(' '.join(kept))}</p>\n"


def row(tag: str, cells: list[str]) -> str:
    """Return a row of a table."""
    return f"<tr>{''.join(f'<{tag}>{inline(cell)}</{tag}>' for cell in cells)}</tr>"
