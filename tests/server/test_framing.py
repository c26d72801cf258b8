"""The end of a request is found however its bytes are split, and as gunicorn's parser finds it."""

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser
from hypothesis import example, given
from hypothesis import strategies as st
from xcom_server.server.framing import (
    INCOMPLETE,
    MAX_CHUNK_LINE,
    RAW_PER_BYTE,
    ChunkedBody,
    Head,
    LengthBody,
)

LIMIT = 1000
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

heads = st.lists(st.sampled_from([b"A: 1\r\n", b"Bc: \r\n", b"D: e\rf\r\n"]), max_size=5).map(
    lambda lines: b"GET / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n"
)
chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
cuts = st.lists(st.integers(0, 400), max_size=12)


def encoded(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def end_after_pieces(
    framing: Head | LengthBody | ChunkedBody, data: bytes, cuts: list[int]
) -> tuple[int, int]:
    """Pass the bytes in pieces; return the end, and how many bytes were there when it was found."""
    received = bytearray()
    edges = sorted({cut for cut in cuts if cut < len(data)} | {len(data)})
    for start, end in zip([0, *edges], edges, strict=False):
        received += data[start:end]
        if (found := framing.end(received)) != INCOMPLETE:
            return found, len(received)
    return INCOMPLETE, len(received)


@given(head=heads, rest=st.binary(max_size=20), cuts=cuts)
@example(head=b"\r\nGET / HTTP/1.1\r\n\r\n", rest=b"", cuts=[*range(30)])
def test_end_of_a_head_does_not_depend_on_its_pieces(
    head: bytes, rest: bytes, cuts: list[int]
) -> None:
    end, received = end_after_pieces(Head(), head + rest, cuts)

    assert (end, received >= len(head)) == (len(head), True)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r\nHost: x\n",
        b"\r\n\r\nGET",
        b"\n",
        b"GET /" + b"x" * 8200,
    ],
)
def test_head_that_the_parser_rejects_ends_early(head: bytes) -> None:
    end, _ = end_after_pieces(Head(), head, [*range(len(head))])

    assert end != INCOMPLETE


@given(pieces=chunks, rest=st.binary(max_size=20), cuts=cuts)
def test_end_of_chunks_does_not_depend_on_their_pieces(
    pieces: list[bytes], rest: bytes, cuts: list[int]
) -> None:
    body, raw = ChunkedBody(LIMIT), encoded(pieces)

    end, received = end_after_pieces(body, raw + rest, cuts)

    assert (end, received >= len(raw), body.must_close) == (len(raw), True, False)


def test_zeros_before_the_size_of_a_chunk_do_not_change_its_end() -> None:
    raw = b"0" * 40 + b"2\r\n{}\r\n" + b"0" * 40 + b"\r\n\r\n"
    body = ChunkedBody(LIMIT)

    end, _ = end_after_pieces(body, raw, [*range(len(raw))])

    assert (end, body.must_close) == (len(raw), False)


@given(length=st.integers(0, 50), rest=st.binary(max_size=20), cuts=cuts)
def test_body_of_a_known_length_ends_there(length: int, rest: bytes, cuts: list[int]) -> None:
    body = LengthBody(length, LIMIT)

    end, received = end_after_pieces(body, b"x" * length + rest, cuts)

    assert (end, received >= length, body.must_close) == (length, True, False)


@given(
    raw=st.lists(
        st.sampled_from(
            [b"1", b"a", b"0", b"\r\n", b"\r", b"\n", b";", b" ", b"x", b"-", b"T: 1\r\n", b"3"]
        ),
        max_size=14,
    ).map(b"".join)
)
@example(raw=b"3;x\r\nabc\r\n0\r\n\r\n")
@example(raw=b"0\r\nT: 1\r\n\r\n")
def test_body_that_keeps_the_connection_is_read_by_gunicorn_up_to_the_same_end(raw: bytes) -> None:
    """A different end would be request smuggling."""
    body = ChunkedBody(LIMIT)
    end = body.end(bytearray(raw))
    if end == INCOMPLETE or body.must_close:
        return
    parser = get_parser(Config(), [HEAD + raw], ("127.0.0.1", 1))
    next(parser).body.read()

    assert parser.unreader.take_buffered() == raw[end:]


@pytest.mark.parametrize(
    ("raw", "end"),
    [
        (b"zz\r\n", 4),
        (b"0x5\r\n{}", 7),
        (b"2\r\n{}XX", 7),
        (b"\r\n", 2),
        (b"2;a=b\r\n{}\r\n0\r\n\r\nGET", 16),
        (b"0\r\nA: b\r\n\r\nGET", 11),
        (b"1" * (MAX_CHUNK_LINE + 1), MAX_CHUNK_LINE + 1),
        (b"0\r\n" + b"A: b\r\n" * 2000, 12003),
        (b"3e9\r\n" + b"x" * 1001, 1006),
    ],
)
def test_unusual_chunks_close_the_connection(raw: bytes, end: int) -> None:
    body = ChunkedBody(LIMIT)

    assert (body.end(bytearray(raw)), body.must_close) == (end, True)


def test_chunks_with_too_many_bytes_around_them_end_early() -> None:
    body = ChunkedBody(LIMIT)
    raw = bytearray(b"1;" + b"x" * 1000 + b"\r\na\r\n") * 20

    assert len(raw) > RAW_PER_BYTE * LIMIT + MAX_CHUNK_LINE
    assert (body.end(raw), body.must_close) == (len(raw), True)


def test_too_long_body_is_not_waited_for() -> None:
    body = LengthBody(LIMIT + 1, LIMIT)

    assert (body.end(bytearray()), body.must_close) == (0, True)
    assert LengthBody(LIMIT, LIMIT).end(bytearray()) == INCOMPLETE
