"""A TCP proxy for one direction of dialling: branch A dials branch B through it.

Every pair of branches has its own, so any link can be held (bytes wait, as under a real cut, and go on
when it heals), delayed, or broken now and then. One thread runs all proxies of a test.
"""
import asyncio
import contextlib
import random
import threading


class Link:
    """What happens to the bytes between one dialler and one listener."""

    def __init__(self):
        self.held = False      # dialler -> listener
        self.held_back = False  # listener -> dialler
        self.delay = 0.0       # seconds, each way
        self.jitter = 0.0
        self.break_chance = 0.0  # per piece of bytes
        self.changed = asyncio.Event()


class Proxies:
    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.links = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout=30)

    def add(self, dialler, listener, port):
        """Returns the port at which `dialler` reaches `listener`, which listens on `port`."""
        return self.call(self._add(dialler, listener, port))

    async def _add(self, dialler, listener, port):
        link = self.links[dialler, listener] = Link()

        async def accept(reader, writer):
            try:
                peer_reader, peer_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                writer.transport.abort()
                return
            there = self._pump(link, reader, peer_writer, "held")
            back = self._pump(link, peer_reader, writer, "held_back")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(there, back)
            for end in (writer, peer_writer):
                end.transport.abort()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    async def _pump(self, link, reader, writer, held):
        try:
            while piece := await reader.read(1 << 16):
                if link.delay or link.jitter:
                    await asyncio.sleep(link.delay + self.random.uniform(0, link.jitter))
                if self.random.random() < link.break_chance:
                    break
                while getattr(link, held):
                    await link.changed.wait()
                writer.write(piece)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass
        writer.transport.abort()

    def change(self, pairs, **settings):
        async def apply():
            for pair in pairs:
                link = self.links[pair]
                for name, value in settings.items():
                    setattr(link, name, value)
                link.changed.set()
                link.changed = asyncio.Event()
        self.call(apply())

    def heal(self):
        self.change(self.links, held=False, held_back=False, delay=0.0, jitter=0.0, break_chance=0.0)

    def stop(self):
        async def end():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=10)
