"""RFC 6455, case by case: frames, control frames, reserved bits, opcodes, fragments, close.

Each case says all that must come back, over ws, wss and HTTP/2.
SPDX-License-Identifier: Apache-2.0
"""
import socket
import struct

import pytest

import ws
import ws_talk
from ws import BINARY, CLOSE, CONT, PING, PONG, TEXT
from ws_talk import binary, close, closing, pong, text

CONFIG = ws_talk.config('<Location "/echo">\nAuthWSService echo\n</Location>\n')
MODULES = ws_talk.MODULES

f = ws.frame
BYE = closing()
GONE = close(1000)
BAD = close(1002)
WHOLE, OCTETS, CHOPS = 0, 1, 997


def prepare(server):
    ws_talk.tls.certificate(server)


@pytest.fixture(scope="module", params=ws_talk.TRANSPORTS)
def talk(request, server):
    opener = ws_talk.Opener(request.param, server)
    yield opener
    opener.close()


def pattern(n):
    return bytes(i * 7 % 95 + 32 for i in range(n))


# --- lengths ---

LENGTHS = [0, 1, 2, 124, 125, 126, 127, 128, 129, 255, 256, 65534, 65535, 65536, 65537, 131072]


@pytest.mark.parametrize("kind", [text, binary])
@pytest.mark.parametrize("length", LENGTHS)
def test_a_message_of_each_length_comes_back(talk, length, kind):
    opcode = TEXT if kind is text else BINARY
    data = pattern(length) if kind is text else bytes(i * 31 & 255 for i in range(length))
    for chop in (WHOLE, OCTETS if length < 1000 else CHOPS):
        talk.judge(f(opcode, data) + BYE, [kind(data), GONE], chop)


def test_messages_of_all_lengths_in_one_write(talk):
    lengths = list(range(0, 140)) + [65535, 65536, 0, 1]
    talk.judge(b"".join(f(TEXT, pattern(n)) for n in lengths) + BYE,
               [text(pattern(n)) for n in lengths] + [GONE])


def test_every_length_up_to_600_octet_by_octet(talk):
    with talk() as t:
        for n in range(0, 600, 13):
            t.send(f(BINARY, pattern(n)), OCTETS)
            t.expect(binary(pattern(n)))
        t.send(BYE)
        t.expect(GONE)


def test_every_mask_and_the_empty_one(talk):
    masks = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\2\3\4", b"\0\0\0\1", b"\x80\0\0\0"]
    sent = [(m, pattern(n)) for m in masks for n in (1, 2, 3, 4, 5, 31, 64, 127, 1000)]
    talk.judge(b"".join(f(TEXT, data, mask=m) for m, data in sent) + BYE,
               [text(data) for _, data in sent] + [GONE])


def head(first, length, form):
    """A masked head with its length in a chosen form: 7, 16 or 64 bits."""
    if form == 16:
        return bytes([first, 0xFE]) + struct.pack(">H", length) + b"mask"
    return bytes([first, 0xFF]) + struct.pack(">Q", length) + b"mask"


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CONT, PING, CLOSE])
@pytest.mark.parametrize("length, form", [
    (0, 16), (1, 16), (125, 16), (0, 64), (125, 64), (126, 64), (65535, 64), (1 << 63, 64),
    ((1 << 64) - 1, 64), (1 << 63 | 5, 64)])
def test_a_length_that_is_not_minimal_or_has_its_top_bit_set_fails(talk, length, form, opcode):
    before = f(TEXT, "one") + (f(TEXT, "a", fin=False) if opcode == CONT else b"")
    talk.judge(before + head(0x80 | opcode, length, form), [text("one"), BAD])


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CONT, PING, PONG, CLOSE])
@pytest.mark.parametrize("length", [0, 2, 125, 200])
def test_an_unmasked_frame_fails(talk, opcode, length):
    payload = b"\x03\xe8" if opcode == CLOSE and length == 2 else pattern(length)
    before = f(BINARY, b"one") + (f(TEXT, "a", fin=False) if opcode == CONT else b"")
    talk.judge(before + f(opcode, payload, mask=False), [binary(b"one"), BAD])


def test_an_unmasked_frame_fails_at_its_second_byte(talk):
    talk.judge(f(TEXT, "one") + b"\x81\x05", [text("one"), BAD])


# --- pings and pongs ---

@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
@pytest.mark.parametrize("data", [b"", b"x", b"\0\xff\xfe\xfd\xfc\xfb\0\xff", pattern(124),
                                  bytes(range(125))], ids=len)
def test_a_ping_is_answered_with_its_payload(talk, data, chop):
    talk.judge(f(PING, data) + BYE, [pong(data), GONE], chop)


@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("length", [126, 127, 128, 65535, 65536])
def test_a_control_frame_of_more_than_125_bytes_fails(talk, opcode, length, chop):
    # No more than its first two bytes are needed to know.
    talk.judge(f(TEXT, "one") + f(opcode, pattern(length))[:2 if length > 200 else None],
               [text("one"), BAD], chop)


@pytest.mark.parametrize("data", [b"", b"unsolicited", pattern(125)], ids=len)
def test_a_pong_nobody_asked_for_is_passed_over(talk, data):
    talk.judge(f(PONG, data) + BYE, [GONE])
    talk.judge(f(PONG, data) + f(PING, b"p") + f(PONG, data) + f(TEXT, "t") + BYE,
               [pong(b"p"), text("t"), GONE], OCTETS)


@pytest.mark.parametrize("chop", [WHOLE, OCTETS, 7])
def test_ten_pings_are_answered_in_order(talk, chop):
    pings = [f"payload {i}".encode() for i in range(10)]
    talk.judge(b"".join(f(PING, p) for p in pings) + BYE, [pong(p) for p in pings] + [GONE], chop)


def test_pings_between_messages_are_answered_in_their_place(talk):
    sent, expected = b"", []
    for i in range(20):
        sent += f(TEXT, f"m{i}") + f(PING, f"p{i}".encode()) + f(PONG, b"ignored")
        expected += [text(f"m{i}"), pong(f"p{i}".encode())]
    talk.judge(sent + BYE, expected + [GONE])
    talk.judge(sent + BYE, expected + [GONE], OCTETS)


# --- reserved bits ---

@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("rsv", range(1, 8))
def test_a_reserved_bit_fails(talk, rsv, opcode):
    payload = b"\x03\xe8" if opcode == CLOSE else b"payload"
    for data in (payload, b""):
        talk.judge(f(opcode, data, rsv=rsv), [BAD])
    talk.judge(f(TEXT, "one") + f(opcode, payload, rsv=rsv) + f(PING), [text("one"), BAD])


@pytest.mark.parametrize("rsv", range(1, 8))
def test_a_reserved_bit_fails_octet_by_octet_and_within_fragments(talk, rsv):
    talk.judge(f(TEXT, "one") + f(TEXT, "two", rsv=rsv) + f(PING), [text("one"), BAD], OCTETS)
    talk.judge(f(TEXT, "one") + f(TEXT, "a", fin=False) + f(CONT, "b", rsv=rsv),
               [text("one"), BAD])
    talk.judge(f(TEXT, "a", fin=False) + f(CONT, "b", fin=False, rsv=rsv), [BAD])
    talk.judge(f(TEXT, "a", fin=False, rsv=rsv) + f(CONT, "b"), [BAD])


@pytest.mark.parametrize("first", [0x90, 0xA1, 0xC2, 0xF1, 0x83, 0x8B, 0x09, 0x08, 0x0A])
def test_a_wrong_first_byte_is_enough_to_fail(talk, first):
    talk.judge(f(TEXT, "one") + bytes([first]), [text("one"), BAD])


# --- opcodes ---

@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_a_reserved_opcode_fails(talk, opcode):
    for fin in (True, False):
        talk.judge(f(opcode, fin=fin), [BAD])
        talk.judge(f(opcode, "payload", fin=fin), [BAD])
    talk.judge(f(TEXT, "one") + f(opcode, "x") + f(PING), [text("one"), BAD])
    talk.judge(f(TEXT, "one") + f(opcode) + f(PING), [text("one"), BAD], OCTETS)
    talk.judge(f(TEXT, "a", fin=False) + f(opcode, "x") + f(CONT, "b"), [BAD])


# --- fragments ---

@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
@pytest.mark.parametrize("kind", [text, binary])
def test_a_message_in_fragments_comes_back_whole(talk, kind, chop):
    opcode = TEXT if kind is text else BINARY
    for parts in (["frag", "ment"], ["", "", ""], ["", "middle", ""], ["a"] * 50,
                  ["x" * 125, "y" * 126, "z" * 200], ["", "", "last"], ["first", "", ""]):
        sent = f(opcode, parts[0], fin=False)
        for part in parts[1:-1]:
            sent += f(CONT, part, fin=False)
        sent += f(CONT, parts[-1])
        whole = "".join(parts).encode()
        talk.judge(sent + sent + BYE, [kind(whole), kind(whole), GONE], chop)


@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
def test_control_frames_between_fragments_are_answered_at_once(talk, chop):
    sent = f(TEXT, "a", fin=False) + f(PING, b"1") + f(CONT, "b", fin=False) + f(PONG, b"no") + \
        f(PING, b"2") + f(PING, b"") + f(CONT, "", fin=False) + f(PING, b"3") + f(CONT, "c")
    talk.judge(sent + BYE, [pong(b"1"), pong(b"2"), pong(b""), pong(b"3"), text("abc"), GONE], chop)


def test_a_ping_within_an_unfinished_message_does_not_wait_for_its_end(talk):
    with talk() as t:
        t.send(f(TEXT, "begun", fin=False) + f(PING, b"now"))
        t.expect(pong(b"now"))
        t.send(f(CONT, " and done"))
        t.expect(text("begun and done"))
        t.send(BYE)
        t.expect(GONE)


def test_a_ping_behind_half_a_frame_waits_for_it(talk):
    with talk() as t:
        whole = f(TEXT, "a frame in two halves")
        t.send(whole[:12])
        t.send(whole[12:] + f(PING, b"then"))
        t.expect(text("a frame in two halves"), pong(b"then"))
        t.send(BYE)
        t.expect(GONE)


DISORDER = [
    ("a fragmented ping", f(PING, "a", fin=False) + f(CONT, "b"), []),
    ("a fragmented pong", f(PONG, "a", fin=False) + f(CONT, "b"), []),
    ("a fragmented close", f(CLOSE, b"\x03\xe8", fin=False) + f(CONT, "b"), []),
    ("a fragmented ping within a message",
     f(TEXT, "a", fin=False) + f(PING, "x", fin=False) + f(CONT, "b"), []),
    ("a continuation of nothing", f(CONT, "b"), []),
    ("an empty continuation of nothing", f(CONT), []),
    ("a continuation of nothing that goes on", f(CONT, "b", fin=False) + f(TEXT, "c"), []),
    ("a continuation behind a whole message", f(TEXT, "a") + f(CONT, "b"), [text("a")]),
    ("a continuation behind the last fragment",
     f(TEXT, "a", fin=False) + f(CONT, "b") + f(CONT, "c"), [text("ab")]),
    ("a text within a text", f(TEXT, "a", fin=False) + f(TEXT, "b"), []),
    ("a binary within a text", f(TEXT, "a", fin=False) + f(BINARY, b"b"), []),
    ("a text within a binary", f(BINARY, b"a", fin=False) + f(TEXT, "b", fin=False), []),
    ("a text in the third place",
     f(TEXT, "a", fin=False) + f(CONT, "b", fin=False) + f(TEXT, "c", fin=False) + f(CONT), []),
    ("a text within a text behind a ping",
     f(TEXT, "a", fin=False) + f(PING, b"p") + f(TEXT, "b"), [pong(b"p")]),
]


@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
@pytest.mark.parametrize("sent, expected", [case[1:] for case in DISORDER],
                         ids=[case[0] for case in DISORDER])
def test_fragments_out_of_order_fail(talk, sent, expected, chop):
    talk.judge(f(BINARY, b"before") + sent + f(PING, b"after"),
               [binary(b"before"), *expected, BAD], chop)


# --- close ---

@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3001, 3999,
                                  4000, 4999])
def test_a_close_is_answered_with_its_code(talk, code, chop):
    talk.judge(closing(code), [close(code)], chop)
    talk.judge(f(TEXT, "one") + closing(code, "weil ü".encode()), [text("one"), close(code)], chop)


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999,
                                  5000, 10000, 65535])
def test_a_code_that_must_not_be_sent_fails(talk, code):
    talk.judge(closing(code), [BAD])
    talk.judge(f(TEXT, "one") + closing(code, b"reason"), [text("one"), BAD], OCTETS)


@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
def test_a_close_without_a_code_is_answered_without(talk, chop):
    talk.judge(closing(None), [close(None)], chop)


def test_half_a_code_fails(talk):
    talk.judge(f(CLOSE, b"\x03"), [BAD])
    talk.judge(f(CLOSE, b"\x03"), [BAD], OCTETS)


@pytest.mark.parametrize("length", [1, 2, 122, 123])
def test_a_reason_may_be_123_bytes_long(talk, length):
    talk.judge(closing(1000, pattern(length)), [GONE])
    talk.judge(closing(1000, pattern(length)), [GONE], OCTETS)


@pytest.mark.parametrize("length", [124, 125, 200])
def test_a_longer_reason_fails(talk, length):
    talk.judge(closing(1000, pattern(length)), [BAD])


@pytest.mark.parametrize("reason", [
    b"\xff", b"ok\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80",
    "κόσμε".encode() + b"\xed\xa0\x80edited", b"x" * 122 + b"\xc3"])
def test_a_reason_that_is_not_utf_8_fails(talk, reason):
    talk.judge(closing(1000, reason), [close(1007)])
    talk.judge(closing(1000, reason), [close(1007)], OCTETS)


@pytest.mark.parametrize("behind", [
    f(TEXT, "late"), f(PING, b"late"), closing(1000), closing(1001), f(7, b"nonsense"),
    b"\xff" * 300, f(BINARY, b"x" * 70000), f(TEXT, b"\xff\xff"), b"\x81"], ids=[
        "text", "ping", "close", "other close", "reserved opcode", "noise", "large", "not UTF-8",
        "half a head"])
def test_what_comes_behind_a_close_is_ignored(talk, behind):
    talk.judge(f(TEXT, "one") + closing(1000) + behind, [text("one"), GONE])
    with talk() as t:
        t.send(closing(4001))
        t.send(behind)
        t.expect(close(4001))


def test_messages_before_a_close_are_answered_first(talk):
    large = pattern(200000)
    talk.judge(f(TEXT, large) + f(PING, b"p") + f(TEXT, "last") + BYE,
               [text(large), pong(b"p"), text("last"), GONE])


@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
def test_a_close_within_a_fragmented_message_drops_the_message(talk, chop):
    talk.judge(f(TEXT, "never", fin=False) + f(PING, b"p") + closing(1001) + f(CONT, "complete"),
               [pong(b"p"), close(1001)], chop)


def test_after_a_mistake_nothing_is_answered_any_more(talk):
    talk.judge(f(TEXT, "one") + f(3) + f(TEXT, "two") + f(PING, b"p") + closing(1000),
               [text("one"), BAD])


@pytest.mark.parametrize("sent", [b"", f(TEXT, "whole"), f(TEXT, "half a frame")[:9],
                                  f(TEXT, "a fragment", fin=False), b"\x81", b"\x81\xfe\0"], ids=[
    "nothing", "whole", "half a frame", "a fragment", "half a head", "half a length"])
def test_a_client_that_just_goes_gets_no_close_frame(talk, sent):
    with talk() as t:
        t.send(sent)
        if len(sent) == len(f(TEXT, "whole")):
            t.expect(text("whole"))
        if talk.transport == "h2":
            t.connection.send(b"", end=True)
        else:
            t.connection.socket.shutdown(socket.SHUT_WR)
        assert t.line.ended() == b""
