"""The editor's pipes: standard input and output."""

from __future__ import annotations

import asyncio
import os
import queue
import stat
import sys
import threading

from ringfence.lsp.framing import FrameParser

from .streams import Output, StreamChannel, WriterOutput

#: Bytes that are read at a time.
_CHUNK = 64 * 1024


def claim_standard_streams() -> tuple[int, int]:
    """Take standard input and output for the protocol alone.

    What is printed by accident goes to standard error from now on, and child processes
    find an empty standard input: neither can break the conversation.

    Returns:
        The file descriptors to read from and to write to.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return incoming, outgoing


async def open_stdio() -> StreamChannel:
    """Open the channel over this process's standard input and output."""
    incoming, outgoing = claim_standard_streams()
    return await open_descriptors(incoming, outgoing)


async def open_descriptors(incoming: int, outgoing: int) -> StreamChannel:
    """Open a channel over two file descriptors, which it closes in the end.

    Pipes and sockets are served by the event loop itself, which takes a third of the
    time of a thread; files, consoles and Windows' pipes need threads.
    """
    parser = FrameParser()
    if sys.platform != "win32" and _are_pipes(incoming, outgoing):
        reader = await pipe_reader(incoming)
        writer = await pipe_writer(outgoing)
        return StreamChannel(lambda: reader.read(_CHUNK), WriterOutput(writer), parser)
    thread = _ReadingThread(incoming)
    return StreamChannel(thread.read, WritingThread(outgoing), parser)


def _are_pipes(incoming: int, outgoing: int) -> bool:
    """Whether the event loop can serve them; one socket for both ways it cannot."""
    modes = [os.fstat(descriptor).st_mode for descriptor in (incoming, outgoing)]
    pipes = all(stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) for mode in modes)
    return pipes and not os.path.sameopenfile(incoming, outgoing)


async def pipe_reader(descriptor: int) -> asyncio.StreamReader:
    """Read a pipe on the event loop."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", 0)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


async def pipe_writer(descriptor: int) -> asyncio.StreamWriter:
    """Write to a pipe on the event loop."""
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "wb", 0)
    # The stream's protocol lets the writer wait until everything is written.
    unused = asyncio.StreamReader()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(unused), pipe
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


class _ReadingThread:
    """Reads a file descriptor in a thread of its own, which nothing else can stall."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        threading.Thread(target=self._run, name="stdin", daemon=True).start()

    async def read(self) -> bytes:
        """Return the next bytes; none at the end."""
        return await self._chunks.get()

    def _run(self) -> None:
        data = b"-"
        while data:
            try:
                data = os.read(self._descriptor, _CHUNK)
            except OSError:
                data = b""
            try:
                self._loop.call_soon_threadsafe(self._chunks.put_nowait, data)
            except RuntimeError:
                # The event loop has ended; nobody is left to read for.
                return


class WritingThread(Output):
    """Writes to a file descriptor in a thread of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._chunks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="stdout", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Queue bytes."""
        self._chunks.put(data)

    async def aclose(self) -> None:
        """Send what is queued, then close."""
        self._chunks.put(None)
        await asyncio.to_thread(self._thread.join, 1.0)

    def _run(self) -> None:
        try:
            while (data := self._chunks.get()) is not None:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view) :]
        except OSError:
            # The client is gone; what is still queued has no reader.
            return
        finally:
            os.close(self._descriptor)
