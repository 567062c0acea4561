"""RFC 7692, case by case: offers and answers, every set of parameters, and what is broken.

Over ws, wss and HTTP/2. The client's inflater has exactly the window that was agreed upon: a server
that looks further back is found out.
SPDX-License-Identifier: Apache-2.0
"""
import itertools
import json
import os
import zlib

import pytest

import ws
import ws_talk
from ws import BINARY, CLOSE, CONT, PING, PONG, TEXT
from ws_talk import Compression, binary, close, closing, pong, text

CONFIG = ws_talk.config("""
<Location "/echo">
    AuthWSService echo
    AuthWSDeflate On min=0
    AuthWSMaxMessage 1M
</Location>
<Location "/default">
    AuthWSService echo
</Location>
<Location "/small">
    AuthWSService echo
    AuthWSDeflate On min=0 level=9 window=10
    AuthWSMaxMessage 10000
</Location>
<Location "/none-kept">
    AuthWSService echo
    AuthWSDeflate On min=0 no-context-takeover
</Location>
<Location "/off">
    AuthWSService echo
    AuthWSDeflate Off
</Location>
""")
MODULES = ws_talk.MODULES
NAME = "permessage-deflate"

f = ws.frame
BYE, GONE, BAD, INVALID, TOO_BIG = closing(), close(1000), close(1002), close(1007), close(1009)


def prepare(server):
    ws_talk.tls.certificate(server)


@pytest.fixture(scope="module", params=ws_talk.TRANSPORTS)
def talk(request, server):
    opener = ws_talk.Opener(request.param, server)
    yield opener
    opener.close()


def packed(c, opcode, data, **options):
    return f(opcode, c.pack(data), rsv=4, **options)


def record(i, size):
    """JSON with something new and something known in it."""
    rows, n = [], 0
    while n < size:
        rows.append({"id": i * 1000 + len(rows), "user": "alice", "at": f"2026-11-{i % 28 + 1:02}",
                     "value": (i * 7919 + len(rows) * 104729) % 99991, "name": "Ünïcode 日本"})
        n += 110
    return json.dumps(rows, ensure_ascii=False).encode()[:size].decode(errors="ignore").encode()


# --- negotiation ---

WINDOWS = [None, 9, 10, 12, 15]


def terms():
    """Every offer of the four parameters, the answer, and what it means."""
    for server, client, own, other in itertools.product(
            WINDOWS, [*WINDOWS, "any"], (True, False), (True, False)):
        offer = answer = NAME
        if not own:
            offer += "; server_no_context_takeover"
            answer += "; server_no_context_takeover"
        if not other:
            offer += "; client_no_context_takeover"
            answer += "; client_no_context_takeover"
        if server:
            offer += f"; server_max_window_bits={server}"
            answer += f"; server_max_window_bits={server}"
        if client == "any":
            offer += "; client_max_window_bits"
        elif client:
            offer += f"; client_max_window_bits={client}"
            if client < 15:
                answer += f"; client_max_window_bits={client}"
        bits = client if isinstance(client, int) else 15
        yield offer, answer, dict(in_bits=server or 15, out_bits=bits, in_takeover=own,
                                  out_takeover=other)


TERMS = list(terms())


@pytest.mark.parametrize("offer, answer, agreed", TERMS, ids=[t[0][19:] or "-" for t in TERMS])
def test_each_set_of_parameters_is_kept(talk, offer, answer, agreed):
    c = Compression(**agreed)
    with talk(extensions=offer, compression=c) as t:
        if t.answer:
            assert t.answer.all("Sec-WebSocket-Extensions") == [answer]
        messages = [record(i, n) for i, n in enumerate([64, 1024, 1024, 40000, 1024, 0, 5000])]
        t.send(b"".join(packed(c, TEXT, m) for m in messages) + BYE)
        t.expect(*[text(m) for m in messages], GONE)


@pytest.mark.parametrize("offer, answer", [
    (f"{NAME}; unknown, {NAME}; server_no_context_takeover", f"{NAME}; server_no_context_takeover"),
    (f"x-webkit-deflate-frame, {NAME}", NAME),
    (f"{NAME}; server_max_window_bits=8, {NAME}", NAME),
    (f"{NAME}; server_max_window_bits=10; client_max_window_bits, {NAME}",
     f"{NAME}; server_max_window_bits=10"),
    (f'{NAME}; server_max_window_bits="12"', f"{NAME}; server_max_window_bits=12"),
    (f" ,, {NAME} ;client_max_window_bits = 11 , ", f"{NAME}; client_max_window_bits=11"),
    (f"{NAME}; server_max_window_bits=8", None),
    (f"{NAME}; server_max_window_bits=16", None),
    (f"{NAME}; server_max_window_bits=09", None),
    (f"{NAME}; server_max_window_bits=+9", None),
    (f"{NAME}; server_max_window_bits", None),
    (f"{NAME}; client_max_window_bits=7", None),
    (f"{NAME}; client_max_window_bits=16", None),
    (f"{NAME}; server_no_context_takeover=1", None),
    (f"{NAME}; server_no_context_takeover; server_no_context_takeover", None),
    (f"{NAME}; client_max_window_bits=10; client_max_window_bits=10", None),
    (f"{NAME}; unknown=1", None),
    ("permessage-snappy", None),
    ("PERMESSAGE-DEFLATE-2", None),
])
def test_offers_that_are_not_all_acceptable(server, offer, answer):
    with server.connect() as connection:
        got = ws.handshake(connection, "/echo", more=[("Sec-WebSocket-Extensions", offer)])
        assert got.status == 101
        assert got.all("Sec-WebSocket-Extensions") == ([answer] if answer else [])


@pytest.mark.parametrize("offer", [
    f"{NAME};", f"{NAME}; =1", f"{NAME}; client_max_window_bits=", f"{NAME} x", f"; {NAME}",
    f'{NAME}; client_max_window_bits="1', f'{NAME}; x="a b"', f"{NAME}/2", ",", "@"])
def test_what_is_no_list_of_extensions_is_refused(server, offer):
    with server.connect() as connection:
        got = ws.handshake(connection, "/echo", more=[("Sec-WebSocket-Extensions", offer)])
        assert got.status == 400


def test_an_offer_in_two_fields_is_one_list(server):
    with server.connect() as connection:
        got = ws.handshake(connection, "/echo", more=[
            ("Sec-WebSocket-Extensions", f"{NAME}; unknown"),
            ("Sec-WebSocket-Extensions", f"{NAME}; server_max_window_bits=9")])
        assert got.all("Sec-WebSocket-Extensions") == [f"{NAME}; server_max_window_bits=9"]


@pytest.mark.parametrize("path, offer, answer", [
    ("/off", NAME, None),
    ("/small", NAME, f"{NAME}; client_no_context_takeover"),
    ("/small", f"{NAME}; client_max_window_bits", f"{NAME}; client_max_window_bits=10"),
    ("/small", f"{NAME}; client_max_window_bits; server_max_window_bits=12",
     f"{NAME}; server_max_window_bits=10; client_max_window_bits=10"),
    ("/none-kept", f"{NAME}; client_max_window_bits",
     f"{NAME}; server_no_context_takeover; client_no_context_takeover"),
])
def test_what_the_administrator_has_set_counts(server, path, offer, answer):
    with server.connect() as connection:
        got = ws.handshake(connection, path, more=[("Sec-WebSocket-Extensions", offer)])
        assert got.status == 101
        assert got.all("Sec-WebSocket-Extensions") == ([answer] if answer else [])


# --- messages ---

AGREED = {
    "client_max_window_bits": {},
    "server_no_context_takeover; client_no_context_takeover":
        dict(in_takeover=False, out_takeover=False),
    "client_max_window_bits=9; server_max_window_bits=9": dict(in_bits=9, out_bits=9),
    "server_max_window_bits=9; server_no_context_takeover": dict(in_bits=9, in_takeover=False),
    "client_max_window_bits=15; client_no_context_takeover": dict(out_takeover=False),
}


@pytest.mark.parametrize("size, count", [
    (16, 300), (64, 300), (256, 300), (1024, 300), (4096, 150), (8192, 100), (16384, 60),
    (32768, 30), (65536, 20), (131072, 10)])
@pytest.mark.parametrize("offer", list(AGREED))
def test_many_messages_of_each_size(talk, offer, size, count):
    c = Compression(**AGREED[offer])
    with talk(extensions=f"{NAME}; {offer}", compression=c) as t:
        for i in range(count):
            data = record(i, size)
            t.send(packed(c, TEXT, data))
            t.expect(text(data))
        t.send(BYE)
        t.expect(GONE)


@pytest.mark.parametrize("kind", [text, binary])
@pytest.mark.parametrize("part", [1, 64, 256, 1024, 4096, 65536])
def test_a_compressed_message_in_fragments(talk, part, kind):
    c = Compression()
    opcode = TEXT if kind is text else BINARY
    with talk(extensions=NAME, compression=c) as t:
        for size in (0, 1, 300, 131072 if part > 64 else 3000):
            data = record(size, size)
            whole = c.pack(data)
            parts = [whole[at:at + part] for at in range(0, len(whole), part)]
            sent = b"".join(
                f(CONT if i else opcode, p, fin=i == len(parts) - 1, rsv=0 if i else 4)
                for i, p in enumerate(parts))
            t.send(sent)
            t.expect(kind(data))
        t.send(BYE)
        t.expect(GONE)


def test_a_compressed_message_in_two_fragments_split_anywhere(talk):
    c = Compression()
    data = "Ünïcode 日本 😀 ".encode() * 5 + os.urandom(30).hex().encode()
    with talk(extensions=NAME, compression=c) as t:
        at = 0
        while True:
            whole = c.pack(data)
            t.send(f(TEXT, whole[:at], fin=False, rsv=4) + f(PING, b"p") + f(CONT, whole[at:]))
            t.expect(pong(b"p"), text(data))
            at += 1
            if at > len(whole):
                break
        t.send(BYE)
        t.expect(GONE)


def test_octet_by_octet(talk):
    c = Compression()
    messages = [record(i, 300) for i in range(5)]
    talk.judge(b"".join(packed(c, TEXT, m) for m in messages) + f(PING, b"p") + BYE,
               [*map(text, messages), pong(b"p"), GONE], 1, extensions=NAME, compression=c)


def test_compressed_and_plain_messages_may_alternate(talk):
    c = Compression()
    sent, expected = b"", []
    for i in range(40):
        data = record(i, 500)
        sent += f(TEXT, data) if i % 3 else packed(c, BINARY, data)
        expected.append(text(data) if i % 3 else binary(data))
    talk.judge(sent + f(TEXT, "") + f(TEXT, "a", fin=False) + f(CONT, "b") + BYE,
               [*expected, text(""), text("ab"), GONE], extensions=NAME, compression=c)


def test_short_messages_are_sent_as_they_are(talk):
    with talk(path="/default", extensions=NAME) as t:
        short, long = b"x" * 100, b"x" * 1000
        t.send(packed(Compression(), TEXT, short) + f(TEXT, long))
        assert t.frame() == (TEXT, True, 0, short)
        opcode, fin, rsv, data = t.frame()
        assert (opcode, fin, rsv) == (TEXT, True, 4) and len(data) < 100
        t.send(BYE)
        t.expect(GONE)


def ended(data, **options):
    """A message whose last block says that it is the last (BFINAL), and what follows it."""
    c = zlib.compressobj(6, zlib.DEFLATED, -15)
    return f(TEXT, c.compress(data) + c.flush(zlib.Z_FINISH) + b"\0", rsv=4, **options)


FORMS = {
    "empty, as RFC 7692 writes it": (b"\0", b""),
    "empty, a stored block": (b"\0\0\0\xff\xff\0", b""),
    "empty, a block with fixed codes": (b"\2\0", b""),
    "nothing at all": (b"", b""),
    "Hello": (b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"Hello"),
    "Hello, stored": (b"\0\5\0\xfa\xffHello\0", b"Hello"),
    "Hello, BFINAL set": (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"),
    "Hello in two blocks": (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", b"Hello"),
}


@pytest.mark.parametrize("payload, data", FORMS.values(), ids=list(FORMS))
def test_each_form_of_a_message(talk, payload, data):
    for chop in (0, 1):
        talk.judge(f(TEXT, payload, rsv=4) * 3 + f(TEXT, "plain") + BYE,
                   [text(data)] * 3 + [text("plain"), GONE], chop, extensions=NAME,
                   compression=Compression())


def test_a_last_block_ends_nothing_but_itself(talk):
    c = Compression()
    messages = [record(i, 2000) for i in range(10)]
    talk.judge(b"".join(ended(m) for m in messages) + BYE, [*map(text, messages), GONE],
               extensions=NAME, compression=c)


# --- what is broken ---

@pytest.mark.parametrize("sent", [
    f(PING, b"p", rsv=4), f(PONG, b"", rsv=4), f(CLOSE, b"\x03\xe8", rsv=4),
    f(CONT, b"\0", rsv=4), f(TEXT, b"\0", rsv=6), f(TEXT, b"\0", rsv=5), f(TEXT, b"x", rsv=2)],
    ids=["ping", "pong", "close", "continuation of nothing", "RSV1 and 2", "RSV1 and 3", "RSV2"])
def test_a_bit_where_it_must_not_be_fails(talk, sent):
    c = Compression()
    talk.judge(packed(c, TEXT, b"one") + sent, [text(b"one"), BAD], extensions=NAME, compression=c)


def test_a_continuation_that_says_it_is_compressed_fails(talk):
    for first in (4, 0):
        talk.judge(f(TEXT, b"\0" if first else b"x", fin=False, rsv=first) + f(CONT, b"\0", rsv=4),
                   [BAD], extensions=NAME, compression=Compression())


def test_compressed_without_having_agreed_fails(talk):
    talk.judge(f(TEXT, "one") + f(TEXT, b"\0", rsv=4), [text("one"), BAD])
    talk.judge(f(TEXT, "one") + f(TEXT, b"\0", rsv=4), [text("one"), BAD], path="/off",
               extensions=NAME)


BROKEN = {
    "a reserved kind of block": b"\x07\xff\xff",
    "a stored block whose lengths disagree": b"\0\5\0\xfa\xfeHello",
    "a distance before the beginning": b"\x42\x13\x00",
    "noise": b"\xff" * 40,
    "codes that make no tree": b"\x04\xff\xff\xff\xff\xff\xff\xff",
}


@pytest.mark.parametrize("payload", BROKEN.values(), ids=list(BROKEN))
def test_data_that_does_not_inflate_fails(talk, payload):
    with pytest.raises(zlib.error):
        zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
    c = Compression()
    for chop in (0, 1):
        c.deflater = None
        talk.judge(packed(c, TEXT, b"a") + f(BINARY, payload, rsv=4) + f(PING),
                   [text(b"a"), INVALID], chop, extensions=f"{NAME}; client_no_context_takeover",
                   compression=Compression(out_takeover=False))


def test_a_client_that_keeps_what_it_said_it_would_not_fails(talk):
    keeper = Compression()
    data = os.urandom(500)
    talk.judge(packed(keeper, BINARY, data) + packed(keeper, BINARY, data),
               [binary(data), INVALID], compression=Compression(),
               extensions=f"{NAME}; client_no_context_takeover")


def test_invalid_text_within_compressed_data_fails_at_once(talk):
    c = Compression()
    bad = c.pack(b"good so far \xff and more")
    talk.judge(f(TEXT, bad, rsv=4) + f(PING), [INVALID], extensions=NAME, compression=c)
    for at in range(0, len(bad), 3):
        talk.judge(f(TEXT, bad[:at], fin=False, rsv=4) + f(CONT, bad[at:], fin=False),
                   [INVALID], extensions=NAME, compression=Compression())
    cut = Compression().pack("half a character: ü".encode()[:-1])
    talk.judge(f(TEXT, cut, rsv=4), [INVALID], extensions=NAME, compression=Compression())
    talk.judge(f(BINARY, cut, rsv=4) + BYE, [binary("half a character: ü".encode()[:-1]), GONE],
               extensions=NAME, compression=Compression())


def test_the_limit_is_that_of_the_inflated_message(talk):
    for size, last in ((10000, binary(b"x" * 10000)), (10001, TOO_BIG), (9 << 20, TOO_BIG)):
        c = Compression(out_bits=10, in_bits=10)
        sent = packed(c, BINARY, b"x" * size)
        assert len(sent) < 100 or size > 10001
        expected = [last] if last == TOO_BIG else [last, GONE]
        talk.judge(sent + BYE, expected, path="/small", compression=c,
                   extensions=f"{NAME}; client_max_window_bits; server_max_window_bits=10")


def test_a_close_within_a_compressed_message_drops_it(talk):
    c = Compression()
    whole = c.pack(record(1, 3000))
    talk.judge(packed(c, TEXT, b"one") + f(TEXT, whole[:40], fin=False, rsv=4) + closing(4000),
               [text(b"one"), close(4000)], extensions=NAME,
               compression=Compression(out_takeover=True))
