"""What is still to be told survives, and what is spoilt is left out."""

from __future__ import annotations

from pathlib import Path

from runyard.server.notice.pending import KEPT_BATCHES, Mark, Notice, Pending
from runyard.server.notice.target import Target


def notice(name: str) -> Notice:
    return Notice(
        name, Target("webhook", ("https://h/",)), {"event": "run_ended", "run": {}}, tries=2, due=5.5
    )


def test_notices_are_there_until_they_are_removed(tmp_path: Path) -> None:
    pending = Pending(tmp_path / "notices")
    assert list(pending.notices()) == []
    pending.put([notice("2"), notice("1")])
    assert list(Pending(tmp_path / "notices").notices()) == [notice("1"), notice("2")]
    pending.remove(notice("1"))
    pending.remove(notice("1"))
    assert [each.id for each in pending.notices()] == ["2"]


def test_a_spoilt_notice_and_a_spoilt_mark_are_left_out(tmp_path: Path) -> None:
    pending = Pending(tmp_path)
    pending.put([notice("1")])
    (tmp_path / "notice-0.json").write_text("{")
    (tmp_path / "mark.json").write_text("[]")
    assert [each.id for each in pending.notices()] == ["1"]
    assert not (tmp_path / "notice-0.json").exists()
    assert pending.mark() == Mark()


def test_the_mark_keeps_the_newest_batches_only(tmp_path: Path) -> None:
    pending = Pending(tmp_path)
    assert pending.mark().seq is None
    pending.set_mark(Mark(seq=7, batches={str(n): "then" for n in range(KEPT_BATCHES + 5)}))
    found = pending.mark()
    assert found.seq == 7
    assert list(found.batches) == [str(n) for n in range(5, KEPT_BATCHES + 5)]
