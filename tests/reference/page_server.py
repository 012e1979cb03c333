"""The live page's server for the length of a test, on any free port."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from latemiles.web import serve


@asynccontextmanager
async def serving(app, port=0):
    """Serve an app; gives the port."""
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, port=port, on_ready=ready.set_result))
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        yield ready.result()
    finally:
        ready.cancel()
        task.cancel()
        await asyncio.wait({task})
