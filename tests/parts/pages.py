"""Pages: the Markdown files of the project, their tables, headings and links."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("bench/*.md")),
)

Row = dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table of a page: its rows by the names of their columns, and the heading above it."""

    heading: str
    rows: list[Row]


def text_without_code(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def tables(page: Path) -> list[Table]:
    """Return the tables of a page in their order."""
    found: list[Table] = []
    heading = ""
    columns: list[str] = []
    for line in text_without_code(page).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line[:1] == "|" else []
        if not cells:
            columns = []
        elif not columns:
            columns = cells
            found.append(Table(heading, []))
        elif set(line) - set("|-"):
            assert len(cells) == len(columns), f"{page.name}: {line}"
            found[-1].rows.append(dict(zip(columns, cells, strict=True)))
    return found


def rows(page: Path, column: str) -> list[Row]:
    """Return the rows of all tables whose first column is named `column`."""
    return [row for table in tables(page) for row in table.rows if next(iter(row)) == column]


def words(cell: str) -> list[str]:
    """Return what stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text_without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", text_without_code(page))


def shell_commands(page: Path) -> str:
    """Return the lines of a page's shell examples, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return re.sub(r"#.*", "", "".join(blocks))
