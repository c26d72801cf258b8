"""Find the end of an HTTP/1 request in bytes that arrive in pieces.

gunicorn's parser decides what a request means and whether it is valid. The classes here only find
out when it has enough bytes to do so without waiting for more, and where the next request starts.
Each byte is searched once, however small the pieces are.
"""

import re

INCOMPLETE = -1
"""The result of `end` if more bytes are needed."""

MAX_REQUEST_LINE = 8190  # bytes; gunicorn rejects longer ones
MAX_CHUNK_LINE = 8190  # bytes of the line with the size of a chunk, as in gunicorn
RAW_PER_BYTE = 8  # bytes on the wire for a byte of a chunked body; chunks of one byte take 6

# The empty line, or a line feed without a carriage return, for which the parser rejects the head.
_END_OF_HEAD = re.compile(rb"\r\n\r\n|(?<!\r)\n")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]+)([ \t]*;.*)?", re.DOTALL)


class Head:
    """The request line and the headers."""

    def __init__(self) -> None:
        self._searched = 0

    def end(self, data: bytearray) -> int:
        """Return the length of the head at the start of `data`, or INCOMPLETE.

        The head ends early where the parser rejects it.
        """
        found = _END_OF_HEAD.search(data, max(self._searched - 3, 0))
        self._searched = len(data)
        if found:
            return found.end()
        is_too_long = (
            len(data) > MAX_REQUEST_LINE + 4 and data.find(b"\r\n", 2, MAX_REQUEST_LINE + 4) < 0
        )
        return len(data) if is_too_long else INCOMPLETE


class LengthBody:
    """A body of a known length."""

    def __init__(self, length: int, limit: int) -> None:
        self.must_close = length > limit  # then the body is rejected without being read
        self._length = 0 if self.must_close else length

    def end(self, data: bytearray) -> int:
        """Return the length of the body at the start of `data`, or INCOMPLETE."""
        return self._length if len(data) >= self._length else INCOMPLETE


class ChunkedBody:
    """A body in chunks.

    `must_close` is true if the connection cannot be reused after `end` has returned: the chunks are
    malformed or have parts that proxies interpret differently (extensions, trailers), or the body
    has more than `limit` bytes. In these cases the end may be that of all bytes received.
    """

    def __init__(self, limit: int) -> None:
        self.must_close = False
        self._limit = limit
        self._start = 0  # of the line with the size of the current chunk
        self._size = 0  # of all chunks before it
        self._searched = 0

    def end(self, data: bytearray) -> int:
        """Return the length of the body at the start of `data`, or INCOMPLETE."""
        if len(data) > RAW_PER_BYTE * self._limit + MAX_CHUNK_LINE:
            return self._cut(data)
        while (line_end := data.find(b"\r\n", self._searched)) >= 0:
            line = _CHUNK_LINE.fullmatch(data, self._start, line_end)
            if not line or line_end - self._start > MAX_CHUNK_LINE:
                return self._cut(data)
            self.must_close |= line[2] is not None
            size, start = int(line[1], 16), line_end + 2
            if not size:
                return self._end_of_trailers(data, start)
            if self._size + min(size, len(data) - start) > self._limit:
                return self._cut(data)
            if len(data) < start + size + 2:
                self._searched = line_end
                return INCOMPLETE
            if data[start + size : start + size + 2] != b"\r\n":
                return self._cut(data)
            self._start = self._searched = start + size + 2
            self._size += size
        if len(data) - self._start > MAX_CHUNK_LINE:
            return self._cut(data)
        self._searched = max(len(data) - 1, self._start)
        return INCOMPLETE

    def _end_of_trailers(self, data: bytearray, start: int) -> int:
        """Return the end of the empty line after the last chunk, or of the trailers before it."""
        self._searched = start - 2
        if data[start : start + 2] == b"\r\n":
            return start + 2
        if len(data) < start + 2:
            return INCOMPLETE
        self.must_close = True
        if len(data) - start > MAX_CHUNK_LINE:
            return len(data)
        found = data.find(b"\r\n\r\n", start)
        return found + 4 if found >= 0 else INCOMPLETE

    def _cut(self, data: bytearray) -> int:
        self.must_close = True
        return len(data)
