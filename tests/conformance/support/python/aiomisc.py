"""What the suites of aiormq and aio-pika use of aiomisc, which Debian has not."""

import asyncio
import functools

from aiormq.tools import awaitable  # noqa: F401


def timeout(seconds):
    def decorate(function):
        @functools.wraps(function)
        async def bounded(*arguments, **named):
            return await asyncio.wait_for(function(*arguments, **named), seconds)

        return bounded

    return decorate
