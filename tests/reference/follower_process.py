"""A process that follows a store into InfluxDB and MQTT until it is killed; arguments: STORE URL PORT."""

from __future__ import annotations

import asyncio
import sys

from latemiles.sinks.follower import Backoff, Follower
from latemiles.sinks.influx import InfluxSettings, InfluxSink
from latemiles.sinks.mqtt import MqttSettings
from latemiles.sinks.mqtt_sink import MqttSink
from latemiles.store import Store


async def follow(path: str, url: str, port: int) -> None:
    """Both sinks, for ever."""
    sinks = [
        InfluxSink(InfluxSettings(url, api="v1", timeout_s=2.0)),
        MqttSink(MqttSettings("127.0.0.1", port, timeout_s=2.0), settle_s=1.5),
    ]
    with Store(path) as store:
        async with asyncio.TaskGroup() as group:
            for sink in sinks:
                group.create_task(Follower(store, sink, print, Backoff(0.05, 0.2), poll_s=0.02).run())


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], sys.argv[2], int(sys.argv[3])))
