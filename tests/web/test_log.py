"""The log of a run in the browser."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.sync_api import expect

from tests.unit.store import making
from tests.web.log_page import (
    LogPages,
    numbers,
    pages,
    server_and_browser,
    texts,
    violations,
    wait_for,
    wait_for_line,
)

__all__ = ["pages", "server_and_browser"]

ESC = "\x1b["
TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "train.py", line {n}, in step\n    step({n})\n' for n in range(4)
)
MANY = "".join(f"line {n}\n" for n in range(1, 1_000_001)).encode()


def counted(first: int, last: int) -> bytes:
    return "".join(f"line {n}\n" for n in range(first, last + 1)).encode()


# Following


def test_a_log_is_followed_from_its_beginning_on(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 500))
    page = pages.log(run)
    wait_for_line(page, "line 500")
    run.append(counted(501, 700))
    wait_for_line(page, "line 700")
    page.keyboard.press("g")
    wait_for_line(page, "line 1")


def test_going_up_lets_go_of_the_end_and_coming_back_takes_it_up_again(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 500))
    page = pages.log(run)
    wait_for_line(page, "line 500")
    follow = page.get_by_role("button", name="Follow (f)")
    expect(follow).to_have_attribute("aria-pressed", "true")
    page.locator(".log-frame").hover()
    page.mouse.wheel(0, -300)
    expect(follow).to_have_attribute("aria-pressed", "false")
    before = numbers(page)
    run.append(counted(501, 523))
    page.get_by_role("button", name="23 new lines").wait_for()
    assert numbers(page)[:5] == before[:5]
    page.mouse.wheel(0, 5_000)
    wait_for_line(page, "line 523")
    expect(follow).to_have_attribute("aria-pressed", "true")
    run.append(counted(524, 524))
    wait_for_line(page, "line 524")
    page.keyboard.press("f")
    expect(follow).to_have_attribute("aria-pressed", "false")
    run.append(counted(525, 530))
    page.get_by_role("button", name="6 new lines").click()
    wait_for_line(page, "line 530")


def test_nothing_is_lost_or_repeated_when_the_network_was_away(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 100))
    page = pages.log(run)
    wait_for_line(page, "line 100")
    for turn in range(3):
        page.context.set_offline(True)
        run.append(b"half of " + counted(turn, turn))
        run.append(counted(101 + turn, 101 + turn)[:-1])
        page.context.set_offline(False)
        run.append(b"\n")
        wait_for_line(page, f"line {101 + turn}")
    assert numbers(page)[-6:] == [101, 102, 103, 104, 105, 106]
    assert texts(page)[-6:] == [t for n in range(3) for t in (f"half of line {n}", f"line {101 + n}")]


# Size


def test_any_line_of_a_million_is_there_at_once_in_few_rows(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(MANY)
    page = pages.log(run, end="#L765432")
    wait_for_line(page, "line 765432")
    expect(page.locator(".log-row.is-target")).to_have_text("line 765432")
    page.keyboard.press("g")
    wait_for_line(page, "line 1")
    page.keyboard.press("G")
    wait_for_line(page, "line 1000000")
    for share in (0.25, 0.5, 0.75):
        page.evaluate(
            "share => { const f = document.querySelector('.log-frame'); f.scrollTop = share * f.scrollHeight }",
            share,
        )
        wait_for(
            page,
            """near => Math.abs(document.querySelector('.log-number').dataset.label - near) < 500
                && !document.querySelector('.log-waiting')""",
            share * 1_000_000,
        )
        assert texts(page) == [f"line {n}" for n in numbers(page)]
    assert page.locator(".log-row").count() < 200


def test_a_line_near_the_end_of_a_growing_log_stays_where_it_is(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 500))
    page = pages.log(run, end="#L498")
    wait_for_line(page, "line 498")
    run.append(counted(501, 540))
    page.get_by_role("button", name="40 new lines").wait_for()
    wait_for_line(page, "line 498")


def test_a_line_that_was_gone_to_stays_in_a_view_that_becomes_smaller(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 500))
    page = pages.log(run, end="#L498")
    wait_for_line(page, "line 498")
    page.set_viewport_size({"width": 1280, "height": 480})
    wait_for_line(page, "line 498")
    page.set_viewport_size({"width": 1280, "height": 900})
    wait_for_line(page, "line 498")


def test_rows_go_with_the_finger_however_many_there_are(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(MANY)
    page = pages.log(run, end="#L500000", has_touch=True)
    wait_for_line(page, "line 500000")
    top = """() => [...document.querySelectorAll('.log-row')].find(row => {
        const frame = row.closest('.log-frame').getBoundingClientRect()
        return row.getBoundingClientRect().bottom > frame.top + 1
    }).querySelector('.log-number').dataset.label - 0"""
    before = page.evaluate(top)
    box = page.locator(".log-frame").bounding_box()
    assert box is not None
    x, y = box["x"] + 200, box["y"] + 350
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: float) -> None:
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for y in points]}
        )

    touch("touchStart", y)
    for step in range(1, 11):
        touch("touchMove", y - 30 * step)
    # 300 pixels are 15 rows, less what it takes for a touch to count as a movement; of the scroll bar they were 37.
    wait_for(page, f"before => ({top})() > before + 10", before)
    assert page.evaluate(top) <= before + 15
    touch("touchEnd")
    # Once it rests, the scroll bar stands where the rows are.
    wait_for(
        page,
        f"""() => {{
            const frame = document.querySelector('.log-frame')
            const share = frame.scrollTop / (frame.scrollHeight - frame.clientHeight)
            return Math.abs(share * (1e6 - frame.clientHeight / 20) - ({top})()) < 2
        }}""",
    )


def test_a_line_without_an_end_is_cut_and_shown_piece_by_piece(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(b"begin " + b"x" * 5_000_000 + b" end\nnext\n")
    page = pages.log(run)
    wait_for_line(page, "next")
    wait_for(page, "() => document.querySelector('.log-text').textContent.length === 2000")
    page.get_by_role("button", name="show all 4.8 MiB").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("64 KiB of 4.8 MiB")
    dialog.get_by_role("button", name="Show the next 64 KiB").click()
    expect(dialog).to_contain_text("128 KiB of 4.8 MiB")


def test_what_was_dropped_is_shown_as_that(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(b"first\nbegin " + b"x" * 2**20 + b" end\nlast\n")
    run.drop(12, 12 + 2**20)
    page = pages.log(run)
    wait_for_line(page, "last")
    expect(page.locator(".log-dropped")).to_have_text("1 MiB left out here: the log passed its limit")
    assert texts(page) == ["first", "begin ", "last"]


def test_lines_are_numbered_anew_when_a_part_is_dropped_while_one_looks(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 20_000))
    page = pages.log(run)
    wait_for_line(page, "line 20000")
    run.drop(40_000, 120_000)
    run.append(counted(20_001, 20_010))
    wait_for_line(page, "line 20010")
    page.keyboard.press("g")
    wait_for_line(page, "line 1")
    page.keyboard.press("G")
    wait_for_line(page, "line 20010")
    total = run.get("/lines").json()["total"]
    assert total < 20_000
    assert numbers(page)[-1] == total
    run.append(b"next\n")
    wait_for_line(page, "next")
    assert numbers(page)[-1] == total + 1


# What lines show


@pytest.mark.parametrize(("scheme", "red"), [("light", "rgb(184, 32, 47)"), ("dark", "rgb(255, 123, 128)")])
def test_colours_are_those_of_the_theme_and_go_on_to_the_next_line(
    pages: LogPages, scheme: str, red: str
) -> None:
    (run,) = pages.runs()
    run.append(
        f"{ESC}31mred\nstill{ESC}0m {ESC}38;2;10;200;30;48;5;16mtrue{ESC}m {ESC}1mbold{ESC}m\n".encode()
    )
    page = pages.log(run, scheme)
    for word in ("red", "still"):
        expect(page.get_by_text(word, exact=True)).to_have_css("color", red)
    expect(page.get_by_text("true", exact=True)).to_have_css("color", "rgb(10, 200, 30)")
    expect(page.get_by_text("true", exact=True)).to_have_css("background-color", "rgb(0, 0, 0)")
    expect(page.get_by_text("bold", exact=True)).to_have_css("font-weight", "700")


def test_what_a_log_holds_is_text_and_never_html(pages: LogPages) -> None:
    (run,) = pages.runs()
    hostile = "<img src=x onerror=alert(1)><script>alert(1)</script>&lt;b&gt;"
    run.append(
        f"{hostile}\n{ESC}31m{hostile}\n\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07\n\u202egpj\0\n".encode()
    )
    page = pages.log(run)
    wait_for_line(page, "⟨U+202E⟩gpj␀")
    assert texts(page) == [hostile, hostile, "link", "⟨U+202E⟩gpj␀"]
    assert page.locator(".log-text :not(span)").count() == 0


def test_a_progress_bar_shows_its_last_update_and_every_one_if_asked(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(b"\r10%\r20%\r30%")
    page = pages.log(run)
    wait_for_line(page, "30%")
    run.append(b"\r40%\ndone\n")
    wait_for_line(page, "40%")
    page.get_by_role("button", name="4 updates").click()
    expect(page.locator(".log-update")).to_have_text(["10%", "20%", "30%", "40%"])
    assert (
        page.locator(".log-row").nth(1).bounding_box()["y"]
        >= page.locator(".log-update").nth(3).bounding_box()["y"] + 20
    )  # type: ignore[index] # both are shown
    page.get_by_role("button", name="last update only").click()
    expect(page.locator(".log-update")).to_have_count(0)


def test_a_progress_bar_that_wrote_megabytes_shows_its_last_update(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(b"".join(b"%7d of 100000\r" % n for n in range(100_001)) + b"\nnext\n")
    page = pages.log(run)
    wait_for_line(page, " 100000 of 100000")


def test_times_are_those_of_the_server(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(b"one\ntwo\n")
    run.folder().time_index_file.write_text("4 1000000000000000\n8 1000000060250000\n")
    page = pages.log(run, timezone_id="UTC")
    wait_for_line(page, "two")
    page.keyboard.press("t")
    expect(page.locator(".log-at")).to_have_text(["2001-09-09 01:46:40.000", "2001-09-09 01:47:40.250"])


def test_long_lines_wrap_if_asked_and_all_rows_stay_in_order(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append("".join(f"{n} {'word ' * (n % 90)}\n" for n in range(1, 401)).encode())
    page = pages.log(run)
    wait_for(page, "() => document.querySelectorAll('.log-text').length > 20")
    page.keyboard.press("w")
    wait_for(page, "() => [...document.querySelectorAll('.log-row')].some(row => row.offsetHeight > 20)")
    page.locator(".log-frame").hover()
    for by in (-700, -900, 300, -2_000, 400, -90_000, 600):
        page.mouse.wheel(0, by)
        page.wait_for_function(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
        )
        boxes = page.eval_on_selector_all(
            ".log-row",
            "all => all.map(one => [one.getBoundingClientRect().top, one.getBoundingClientRect().bottom])",
        )
        assert all(abs(one[1] - other[0]) < 0.1 for one, other in itertools.pairwise(boxes))
        assert numbers(page) == list(range(numbers(page)[0], numbers(page)[-1] + 1))
    page.keyboard.press("G")
    wait_for(
        page,
        """() => {
            const last = [...document.querySelectorAll('.log-row')].at(-1)
            const bottom = document.querySelector('.log-frame').getBoundingClientRect().bottom
            const isLast = last.querySelector('.log-number').dataset.label === '400'
            return isLast && Math.abs(last.getBoundingClientRect().bottom - bottom) < 2
        }""",
    )


# Errors


def test_a_failed_run_opens_at_its_error(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 300) + TRACEBACK.encode() + b"ValueError: it broke\n" + counted(301, 390))
    pages.server.write([making.ended(run.spec, code=1)])
    page = pages.log(run)
    wait_for_line(page, "ValueError: it broke")
    wait_for_line(page, "    step(3)")


def test_tracebacks_are_folded_to_their_head_and_their_error(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(b"before\n" + TRACEBACK.encode() + b"ValueError: it broke\nafter\n")
    page = pages.log(run)
    wait_for_line(page, "after")
    assert texts(page) == ["before", "Traceback (most recent call last):", "ValueError: it broke", "after"]
    page.get_by_role("button", name="show 8 lines").click()
    wait_for_line(page, "    step(3)")
    assert len(texts(page)) == 12
    page.get_by_role("button", name="hide 8 lines").click()
    expect(page.locator(".log-text")).to_have_count(4)


def test_keys_go_from_error_to_error_of_the_whole_log(pages: LogPages) -> None:
    (run,) = pages.runs()
    broken = {1_000: "ERROR one", 50_000: "KeyError: two", 90_000: "ERROR three"}
    run.append("".join(f"{broken.get(n, f'line {n}')}\n" for n in range(1, 100_001)).encode())
    page = pages.log(run)
    wait_for_line(page, "line 100000")
    for key, text, said in [
        ("E", "ERROR three", "3 of 3"),
        ("E", "KeyError: two", "2 of 3"),
        ("e", "ERROR three", "3 of 3"),
        ("e", "ERROR one", "1 of 3"),
        ("E", "ERROR three", "3 of 3"),
    ]:
        page.keyboard.press(key)
        expect(page.locator(".log-errors")).to_have_text(said)
        wait_for_line(page, text)


# Search


def test_the_whole_log_is_searched_with_an_exact_count(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 100_000))
    page = pages.log(run)
    wait_for_line(page, "line 100000")
    page.keyboard.press("g")
    page.keyboard.press("/")
    page.keyboard.type("LINE 9999")
    found = page.locator(".log-found")
    expect(found).to_have_text("1 of 11")
    wait_for_line(page, "line 9999")
    expect(page.locator(".log-mark.is-current")).to_have_text("line 9999")
    page.keyboard.press("Enter")
    expect(found).to_have_text("2 of 11")
    wait_for_line(page, "line 99990")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(found).to_have_text("11 of 11")
    wait_for_line(page, "line 99999")
    page.get_by_role("button", name="Match case").click()
    expect(found).to_have_text("No hits")
    page.locator(".log-frame").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("search")).to_have_count(0)


def test_a_wrong_pattern_is_told_in_words(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 100))
    page = pages.log(run)
    wait_for_line(page, "line 100")
    page.keyboard.press("/")
    page.get_by_role("button", name="Pattern").click()
    page.get_by_label("Search the whole log").fill("line (1")
    expect(page.locator(".log-found")).to_have_text(re.compile("the pattern is wrong: missing \\)"))
    page.get_by_label("Search the whole log").fill("line .0$")
    expect(page.locator(".log-found")).to_have_text(re.compile("of 9"))


def test_only_lines_that_match_are_shown_with_some_around_them(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 50_000))
    page = pages.log(run)
    wait_for_line(page, "line 50000")
    page.keyboard.press("/")
    page.keyboard.type("777")
    page.get_by_role("button", name="Only lines that match (m)").click()
    wait_for(page, "() => document.querySelectorAll('.log-mark').length > 20")
    expected = [n for n in range(1, 50_001) if "777" in str(n)]
    page.locator(".log-frame").focus()
    page.keyboard.press("g")
    wait_for_line(page, "line 777")
    assert numbers(page) == expected[: len(numbers(page))]
    page.keyboard.press("G")
    wait_for_line(page, f"line {expected[-1]}")
    page.keyboard.press("g")
    page.get_by_label("Lines around each match").select_option("2")
    wait_for_line(page, "line 779")
    assert numbers(page)[:5] == [775, 776, 777, 778, 779]


# The address


def test_lines_are_in_the_address(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(counted(1, 1_000))
    page = pages.log(run, end="#L400-L402")
    wait_for_line(page, "line 400")
    expect(page.locator(".log-row.is-target .log-text")).to_have_text(["line 400", "line 401", "line 402"])
    page.locator(".log-number[data-label='405']").click()
    expect(page).to_have_url(re.compile("#L405$"))
    page.locator(".log-number[data-label='403']").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("#L403-L405$"))
    expect(page.locator(".log-row.is-target")).to_have_count(3)


# States


def test_an_empty_log_says_so(pages: LogPages) -> None:
    (run,) = pages.runs()
    page = pages.log(run)
    expect(page.get_by_text("Nothing yet")).to_be_visible()
    run.append(b"first\n")
    wait_for_line(page, "first")
    (other,) = pages.runs()
    pages.server.write([making.ended(other.spec)])
    expect(pages.log(other).get_by_text("The log is empty")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(pages: LogPages, scheme: str) -> None:
    (run,) = pages.runs()
    colours = "".join(
        f"{ESC}{code}mcolour {code}{ESC}0m {ESC}{code};7minverse{ESC}0m\n"
        for code in [*range(30, 38), *range(90, 98)]
    )
    true = "".join(f"{ESC}38;2;{n};{255 - n};{n}mx" for n in range(0, 256, 15))
    run.append(f"{colours}{true}{ESC}0m\n10%\r20%\n{TRACEBACK}ValueError: it broke\n{'y' * 3_000}\n".encode())
    page = pages.log(run, scheme)
    wait_for(page, "() => document.querySelectorAll('.log-row').length > 15")
    page.keyboard.press("t")
    page.keyboard.press("/")
    page.keyboard.type("colour 3")
    expect(page.locator(".log-mark").first).to_be_visible()
    assert violations(page) == []
