"""One HTML page that needs no other file: text, tables, and pictures inside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.image
from matplotlib.figure import Figure

PNG = b"\x89PNG\r\n\x1a\n"

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #1a1a1a; background: #fff;
       margin: 2rem auto; padding: 0 1.2rem; max-width: 66rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
p { margin: .4rem 0; max-width: 52rem; } img { max-width: 100%; height: auto; display: block; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .28rem .7rem .28rem 0;
         border-bottom: 1px solid #ddd; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.2rem; }
figure { margin: 0; flex: 1 1 17rem; max-width: 24rem; }
figcaption, .small { font-size: .85rem; color: #444; }
"""


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        head: The names of the columns.
        rows: As many cells each.
        numbers: Which columns are numbers, and stand to the right.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        png: Its bytes.
        caption: What it shows.
        narrow: Whether it stands beside others.
    """

    png: bytes
    caption: str
    narrow: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: Its title.
        parts: Sentences, tables and pictures in order.
    """

    title: str
    parts: Sequence[str | Table | Picture]


def png_of(figure: Figure, *, dpi: int = 140) -> bytes:
    """Draw a figure into the bytes of a PNG, the same ones for the same figure.

    Args:
        figure: The figure.
        dpi: Dots per inch.

    Returns:
        The bytes.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def decoded(picture: bytes | None) -> Any:
    """Read a PNG.

    Args:
        picture: Its bytes, if there are any.

    Returns:
        An array, or `None` where there is no picture or it is damaged.
    """
    if picture is None:
        return None
    try:
        return matplotlib.image.imread(io.BytesIO(picture), format="png")
    except Exception:  # a damaged file raises errors of many kinds, and a picture is not worth the report
        return None


def html_page(title: str, sections: Sequence[Section]) -> str:
    """Write a page; every text in it is escaped, and it loads nothing.

    Args:
        title: Its title.
        sections: Its parts.

    Returns:
        The page.

    Raises:
        ValueError: If a picture is no PNG.

    Example:
        >>> "a &lt; b" in html_page("a < b", [])
        True
    """
    body = "".join(_section(section) for section in sections)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    text = f"<h2>{escape(section.title)}</h2>\n" if section.title else ""
    beside = False
    for part in section.parts:
        narrow = isinstance(part, Picture) and part.narrow
        if narrow != beside:
            text += '<div class="pictures">\n' if narrow else "</div>\n"
            beside = narrow
        text += _part(part)
    return text + ("</div>\n" if beside else "")


def _part(part: str | Table | Picture) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>\n"
    if isinstance(part, Table):
        return f'<div class="scroll"><table>\n{_row(part.head, "th", part.numbers)}' + (
            "".join(_row(row, "td", part.numbers) for row in part.rows) + "</table></div>\n"
        )
    if not part.png.startswith(PNG):
        raise ValueError(f"the picture of {part.caption!r} is no PNG")
    data = base64.b64encode(part.png).decode("ascii")
    image = f'<img src="data:image/png;base64,{data}" alt="{escape(part.caption)}">'
    if part.narrow:
        return f"<figure>{image}<figcaption>{escape(part.caption)}</figcaption></figure>\n"
    return f'{image}\n<p class="small">{escape(part.caption)}</p>\n'


def _row(cells: Sequence[str], tag: str, numbers: frozenset[int]) -> str:
    shown = [
        f"<{tag}{' class=number' if index in numbers else ''}>{escape(cell)}</{tag}>"
        for index, cell in enumerate(cells)
    ]
    return f"<tr>{''.join(shown)}</tr>\n"
