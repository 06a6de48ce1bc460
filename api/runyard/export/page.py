"""The page around what is shown: one file, without scripts, light or dark as the reader's system is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

#: Nothing is loaded and nothing is run, whatever a log tries.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --bg: #fff; --ink: #1b1f24; --dim: #59636e; --line: #d8dee4; --soft: #f6f8fa;
  --queued: #9a6700; --running: #0969da; --completed: #1a7f37; --failed: #cf222e; --cancelled: #59636e; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #0d1117; --ink: #e6edf3; --dim: #9198a1; --line: #30363d; --soft: #151b23;
    --queued: #d29922; --running: #4493f8; --completed: #3fb950; --failed: #f85149; --cancelled: #9198a1; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--bg); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } .dim { color: var(--dim); } .mono, pre, code { font-family: ui-monospace, monospace; }
.status { font-weight: 600; }
.queued { color: var(--queued); } .running { color: var(--running); } .completed { color: var(--completed); }
.failed { color: var(--failed); } .cancelled { color: var(--cancelled); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top;
  padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: 500; white-space: nowrap; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; overflow-x: auto;
  font-size: 13px; line-height: 1.4; margin: .5rem 0; white-space: pre; }
.cut { border-left: 3px solid var(--queued); padding-left: .75rem; color: var(--queued); }
svg { width: 100%; height: auto; } svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
svg .bar-queued { fill: var(--queued); } svg .bar-running { fill: var(--running); }
svg .bar-completed { fill: var(--completed); } svg .bar-failed { fill: var(--failed); }
svg .bar-cancelled { fill: var(--cancelled); } svg .axis { stroke: var(--line); }
@media print { pre { white-space: pre-wrap; } }
"""


def page(title: str, body: Iterable[str]) -> str:
    """Return the whole file; `body` is HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def text(value: Any) -> str:
    """Return a value as text that HTML takes for nothing else."""
    return escape("" if value is None else str(value), quote=True)


def status(value: str) -> str:
    """Return a status in its colour; the word says it as well."""
    return f'<span class="status {text(value)}">{text(value)}</span>'


def section(heading: str, *parts: str) -> str:
    """Return a part of the page with its heading."""
    return f"<section>\n<h2>{text(heading)}</h2>\n" + "\n".join(parts) + "\n</section>"


def facts(rows: Iterable[tuple[str, Any]]) -> str:
    """Return a table of names and values; what is not known or empty is left out."""
    shown = [(name, value) for name, value in rows if value not in (None, "", [], {})]
    return (
        "<table>\n"
        + "\n".join(f"<tr><th>{text(n)}</th><td>{text(v)}</td></tr>" for n, v in shown)
        + "\n</table>"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are HTML."""
    head = "".join(f"<th>{text(each)}</th>" for each in heads)
    lines = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>\n</table>"
