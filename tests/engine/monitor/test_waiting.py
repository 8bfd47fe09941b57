from __future__ import annotations

import queue

from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.monitor.waiting import put_newest


@given(entries=st.lists(st.integers(), max_size=30), room=st.integers(1, 8))
def test_the_newest_entries_stay_in_their_order(entries: list[int], room: int) -> None:
    waiting: queue.Queue[int] = queue.Queue(room)
    given_up = sum(put_newest(waiting, entry) for entry in entries)
    assert list(waiting.queue) == entries[-room:]
    assert given_up == max(0, len(entries) - room)
