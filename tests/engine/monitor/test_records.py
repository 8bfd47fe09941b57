from __future__ import annotations

import asyncio
import json

from fer_edge.engine.monitor.records import QUEUE, Records
from fer_edge.engine.sinks.records import record

from .test_pictures import result


def test_subscribers_get_the_records_of_jsonl_with_their_source() -> None:
    async def listen() -> list[str]:
        records = Records()
        subscription = records.subscribe()
        for index in range(3):
            records.offer(result(index, source=4))
        lines = [await asyncio.wait_for(subscription.next(), 5) for _ in range(3)]
        records.unsubscribe(subscription)
        records.offer(result(3))
        await asyncio.sleep(0)
        assert subscription._queue.empty()
        return lines

    lines = [json.loads(line) for line in asyncio.run(listen())]
    expected = [{"source": 4, **record(result(index).result)} for index in range(3)]
    assert lines == json.loads(json.dumps(expected))


def test_a_slow_subscriber_loses_the_oldest_and_knows_how_many() -> None:
    async def listen() -> tuple[int, int]:
        records = Records()
        subscription = records.subscribe()
        for index in range(QUEUE + 10):
            records.offer(result(index))
        await asyncio.sleep(0.01)
        return json.loads(await subscription.next())["frame"], subscription.missed

    assert asyncio.run(listen()) == (10, 10)
