"""What the suites of aiormq and aio-pika use of aiomisc-pytest, which Debian has not: fixtures on top of pytest-asyncio
and a proxy that can be slow, change what passes, and cut its connections."""

import asyncio
import contextlib
import socket

import pytest

from aiomisc import awaitable


class TCPProxy:
    def __init__(self, target_host, target_port, *, listen_host="127.0.0.1", buffered=True):
        self.target = (target_host, target_port)
        self.proxy_host = listen_host
        self.proxy_port = unused_port(listen_host)
        self.read_delay = self.write_delay = 0
        self.processors = (None, None)
        self.writers = set()
        self.tasks = set()
        self.server = None

    async def start(self):
        self.server = await asyncio.start_server(self._accepted, self.proxy_host, self.proxy_port)

    async def close(self):
        self.server.close()
        await self.disconnect_all()
        await self.server.wait_closed()

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *error):
        await self.close()

    @contextlib.contextmanager
    def slowdown(self, read_delay=0, write_delay=0):
        before = self.read_delay, self.write_delay
        self.read_delay, self.write_delay = read_delay, write_delay
        try:
            yield self
        finally:
            self.read_delay, self.write_delay = before

    def set_content_processors(self, client_to_server, server_to_client):
        self.processors = (awaitable(client_to_server), awaitable(server_to_client))

    async def disconnect_all(self):
        for writer in list(self.writers):
            writer.close()
        tasks = [task for task in self.tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accepted(self, reader, writer):
        # Whatever ends it, also a cut while it still connects: both sides are closed, so that no client waits for ever.
        task = asyncio.current_task()
        ends = [writer]
        pumps = []
        self.tasks.add(task)
        self.writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
            ends.append(far_writer)
            self.writers.add(far_writer)
            pumps = [asyncio.ensure_future(self._pump(reader, far_writer, 0)),
                     asyncio.ensure_future(self._pump(far_reader, writer, 1))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # the broker refused: the client sees its own connection end
        finally:
            for pump in pumps:
                pump.cancel()
            for end in ends:
                end.close()
            self.writers.difference_update(ends)
            self.tasks.discard(task)

    async def _pump(self, reader, writer, direction):
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if delay := self.write_delay if direction == 0 else self.read_delay:
                    await asyncio.sleep(delay)
                # Nothing between the two: what a processor has let pass still arrives if it cuts the connection next.
                process = self.processors[direction]
                writer.write(await process(chunk) if process else chunk)
                await writer.drain()


def unused_port(host="127.0.0.1"):
    with socket.socket() as held:
        held.bind((host, 0))
        return held.getsockname()[1]


@pytest.fixture
def loop(event_loop):
    return event_loop


@pytest.fixture
def tcp_proxy():
    return TCPProxy


@pytest.fixture
def localhost():
    return "127.0.0.1"


@pytest.fixture
def aiomisc_unused_port_factory():
    return unused_port
