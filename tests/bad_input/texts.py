"""Rows 48 to 55: names, and what stands in them."""

from __future__ import annotations

from tests.bad_input.row import Accepted, Refused, Row, Submit

TRUE = ["true"]


def named(name: str, *, can_be_an_option: bool = True) -> Submit:
    """Return a run of that name. The system passes no NUL in an argument, so not every name can be an option."""
    return Submit(
        fields={"command": TRUE, "name": name}, options=["--name", name] if can_be_an_option else None
    )


def shown(name: str) -> Accepted:
    """It is shown as it was given; that no terminal and no page is steered by it is `tests/web` and `test_view`."""
    return Accepted(shown={"module_name": name})


ROWS = [
    Row(48, "a NUL", named("a\0b", can_be_an_option=False), Refused(words=["NUL"])),
    Row(
        48,
        "a NUL in a label",
        Submit(fields={"command": TRUE, "labels": {"a": "\0"}}),
        Refused(words=["NUL"]),
    ),
    Row(
        48,
        "half a character",
        named("a\ud800", can_be_an_option=False),
        Refused(rest=["surrogate"], python=["name", "half a character"], command_line=["name", "surrogate"]),
    ),
    Row(50, "from right to left", named("a\u202eb"), shown("a\u202eb")),
    Row(50, "of no width", named("a\u200bc\ufeff"), shown("a\u200bc\ufeff")),
    Row(52, "CON", named("CON"), shown("CON")),
    *(
        Row(
            52,
            f"{name!r} as an id",
            Submit(fields={"command": TRUE, "module_id": name, "name": name}),
            Accepted(shown={"module_id": name}),
        )
        for name in ("nul.txt", "a. ", "../../etc/passwd", "..")
    ),
    Row(53, "emoji", named("🦄🏳️‍🌈"), shown("🦄🏳️‍🌈")),
    Row(53, "four bytes", named("𝔘𐍈"), shown("𝔘𐍈")),
    Row(54, "201 characters", named("n" * 201), Refused(words=["name", "200"])),
    Row(54, "200 characters", named("n" * 200), shown("n" * 200)),
    Row(54, "none", named(""), Refused(words=["name"])),
    Row(55, "a script tag", named("<script>alert(1)</script>"), shown("<script>alert(1)</script>")),
]
