"""RFC 6455, case by case: UTF-8, valid and invalid, at every split; invalid is known at once.

Over ws, wss and HTTP/2. What is UTF-8 is asked of Python's own strict decoder.
SPDX-License-Identifier: Apache-2.0
"""
import pytest

import ws
import ws_talk
from ws import BINARY, CONT, PING, TEXT
from ws_talk import binary, close, closing, pong, text

CONFIG = ws_talk.config('<Location "/echo">\nAuthWSService echo\nAuthWSMaxMessage 2M\n</Location>\n')
MODULES = ws_talk.MODULES

f = ws.frame
BYE, GONE, INVALID = closing(), close(1000), close(1007)
WHOLE, OCTETS = 0, 1


def prepare(server):
    ws_talk.tls.certificate(server)


@pytest.fixture(scope="module", params=ws_talk.TRANSPORTS)
def talk(request, server):
    opener = ws_talk.Opener(request.param, server)
    yield opener
    opener.close()


VALID = [s.encode() for s in (
    "", "a", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "日本語", "עברית العربية", "𝄞 clef, 😀 and 🏳️‍🌈",
    "\0", "\x7f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff",
    "\ud7ff", "\ue000", "\ufffd", "\ufeffwith a mark in front", "\ufffe", "\ufdd0\ufdef",
    "\U0001fffe\U0001ffff", "\U000ffffe\U000fffff", "\U0010fffe", "a\u0300\u0301\u0302" * 5,
    "1é2€3𐍈" * 9)]

# Name, what precedes the mistake, and the mistake up to the byte that cannot be right any more.
WRONG = [
    ("a lone continuation", b"", b"\x80"),
    ("the last lone continuation", b"", b"\xbf"),
    ("two lone continuations", b"", b"\x80"),
    ("a continuation behind ASCII", b"plain", b"\x80"),
    ("a continuation too many", "µ".encode(), b"\x80"),
    ("a continuation too many behind three", "€".encode(), b"\xbf"),
    ("a continuation too many behind four", "😀".encode(), b"\x80"),
    ("a lead where two were due", b"", b"\xc3\xc3"),
    ("ASCII where a continuation was due", b"", b"\xc3a"),
    ("ASCII where the third byte was due", b"", b"\xe2\x82a"),
    ("ASCII where the fourth byte was due", b"", b"\xf0\x9f\x98a"),
    ("a lead where the second byte was due", b"x", b"\xe2\xc3"),
    ("a lead where the third byte was due", b"x", b"\xe2\x82\xe2"),
    ("a lead where the fourth byte was due", b"x", b"\xf0\x9f\x98\xf0"),
    ("/ in two bytes", b"", b"\xc0"),
    ("NUL in two bytes", b"", b"\xc0"),
    ("DEL in two bytes", b"", b"\xc1"),
    ("/ in three bytes", b"", b"\xe0\x80"),
    ("U+07FF in three bytes", b"", b"\xe0\x9f"),
    ("/ in four bytes", b"", b"\xf0\x80"),
    ("U+FFFF in four bytes", b"", b"\xf0\x8f"),
    ("/ in five bytes", b"", b"\xf8"),
    ("/ in six bytes", b"", b"\xfc"),
    ("the first surrogate", b"", b"\xed\xa0"),
    ("the last high surrogate", b"", b"\xed\xaf"),
    ("the first low surrogate", b"", b"\xed\xb0"),
    ("the last surrogate", b"", b"\xed\xbf"),
    ("a surrogate behind text", "κόσμε".encode(), b"\xed\xa0"),
    ("U+110000", b"", b"\xf4\x90"),
    ("U+110000 behind text", "κόσμε".encode(), b"\xf4\x90"),
    ("U+13FFFF", b"", b"\xf4\xbf"),
    ("U+140000", b"", b"\xf5"),
    ("U+1FFFFF", b"", b"\xf7"),
    ("five bytes", b"", b"\xf9"),
    ("five bytes, the last of them", b"", b"\xfb"),
    ("six bytes", b"", b"\xfd"),
    ("FE", b"", b"\xfe"),
    ("FF", b"", b"\xff"),
    ("FE FE FF FF", b"", b"\xfe"),
    ("Latin-1", b"Stra", b"\xdfe"),
    ("UTF-16", b"", b"\xff"),
    ("behind 31 bytes", b"x" * 31, b"\xff"),
    ("behind 32 bytes", b"x" * 32, b"\xff"),
    ("behind 63 bytes", "ü".encode() * 31 + b"x", b"\xc0"),
    ("behind 64 bytes", "ü".encode() * 32, b"\xc0"),
    ("behind 4,000 bytes", "€".encode() * 1333 + b"x", b"\xed\xa0"),
]

# What is right as far as it goes, but not at the end of a message.
CUT = [b"\xc2", b"\xdf", b"\xe0\xa0", b"\xe0", b"\xe2\x82", b"\xed\x9f", b"\xef\xbf", b"\xf0",
       b"\xf0\x90", b"\xf0\x90\x80", b"\xf4\x8f\xbf", b"x" * 31 + b"\xc3", b"x" * 63 + b"\xe2\x82",
       "κόσμε".encode() + b"\xce", b"y" * 500 + b"\xf0\x9f\x98"]


def is_begun(data):
    """Whether more could follow that makes it UTF-8: what the tables above claim."""
    for tail in (b"", b"\x80", b"\x80\x80", b"\xbf\xbf\xbf", b"\xa0\x80", b"\x90\x80\x80",
                 b"\x80\x80\x80", b"\xbf", b"\xbf\xbf"):
        try:
            (data + tail).decode()
            return True
        except UnicodeDecodeError:
            pass
    return False


def test_the_tables_are_true():
    for name, before, mistake in WRONG:
        before.decode()
        assert is_begun(before + mistake[:-1]) and not is_begun(before + mistake), name
    for data in CUT:
        assert is_begun(data)
        with pytest.raises(UnicodeDecodeError):
            data.decode()


@pytest.mark.parametrize("chop", [WHOLE, OCTETS])
def test_valid_text_comes_back(talk, chop):
    talk.judge(b"".join(f(TEXT, data) for data in VALID) + BYE,
               [text(data) for data in VALID] + [GONE], chop)


@pytest.mark.parametrize("data", VALID[1:], ids=range(1, len(VALID)))
def test_valid_text_comes_back_in_two_fragments_split_anywhere(talk, data):
    sent = [f(TEXT, data[:at], fin=False) + f(PING, b"p") + f(CONT, data[at:])
            for at in range(len(data) + 1)]
    talk.judge(b"".join(sent) + BYE, [pong(b"p"), text(data)] * len(sent) + [GONE])


def test_valid_text_comes_back_in_fragments_of_a_byte(talk):
    data = b"".join(VALID)
    sent = f(TEXT, b"", fin=False) + b"".join(f(CONT, data[i:i + 1], fin=False)
                                              for i in range(len(data))) + f(CONT)
    talk.judge(sent + BYE, [text(data), GONE])
    talk.judge(sent + BYE, [text(data), GONE], OCTETS)


def test_every_code_point_comes_back(talk):
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    with talk() as t:
        for at in range(0, len(points), 0x10000):
            data = "".join(map(chr, points[at:at + 0x10000])).encode()
            t.send(f(TEXT, data))
            t.expect(text(data))
        t.send(BYE)
        t.expect(GONE)


@pytest.mark.parametrize("before, mistake", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_invalid_text_fails(talk, before, mistake):
    data = before + mistake
    good = f(TEXT, "good")
    talk.judge(good + f(TEXT, data + b" and more") + f(PING), [text("good"), INVALID])
    talk.judge(good + f(TEXT, data), [text("good"), INVALID], OCTETS)
    # At once: the frame is not complete and never will be.
    talk.judge(good + f(TEXT, data, length=len(data) + 1000), [text("good"), INVALID])
    # In fragments: the mistake's bytes on both sides, the message not complete.
    for at in sorted({0, len(before), len(data) - 1}):
        talk.judge(good + f(TEXT, data[:at], fin=False) + f(PING, b"p") +
                   f(CONT, data[at:], fin=False), [text("good"), pong(b"p"), INVALID])
    # And the frame not complete either.
    talk.judge(f(TEXT, before, fin=False) + f(CONT, mistake, length=1 << 16), [INVALID])


def test_the_byte_before_the_mistake_is_no_mistake(talk):
    """What the server knows too early would be as wrong as too late."""
    with talk() as t:
        for _, before, mistake in WRONG:
            data = before + mistake[:-1]
            tails = [tail for tail in (b"", b"\x80", b"\xbf", b"\x80\x80", b"\xa0\x80", b"\xbf\xbf",
                                       b"\x80\x80\x80", b"\x90\x80\x80", b"\x9f\x80",
                                       b"\x8f\xbf\xbf")
                     if is_whole(data + tail)]
            if tails:
                t.send(f(TEXT, data, fin=False) + f(PING, b"here"))
                t.expect(pong(b"here"))
                t.send(f(CONT, tails[0]))
                t.expect(text(data + tails[0]))
        t.send(BYE)
        t.expect(GONE)


def is_whole(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("data", CUT, ids=range(len(CUT)))
def test_text_that_ends_within_a_character_fails(talk, data):
    talk.judge(f(TEXT, data) + f(PING), [INVALID])
    talk.judge(f(TEXT, data), [INVALID], OCTETS)
    talk.judge(f(TEXT, data[:-1], fin=False) + f(CONT, data[-1:]), [INVALID])
    talk.judge(f(TEXT, data, fin=False) + f(PING, b"p") + f(CONT), [pong(b"p"), INVALID])


def test_each_message_begins_anew(talk):
    """Half a character at the end of one is not the beginning of the next."""
    talk.judge(f(TEXT, "κ".encode()[:1], fin=False) + f(CONT, "κ".encode()[1:]) +
               f(TEXT, "κ".encode()[1:]), [text("κ"), INVALID])
    talk.judge(f(BINARY, b"\xce") + f(TEXT, b"\xba"), [binary(b"\xce"), INVALID])


def test_binary_is_not_looked_at(talk):
    datas = [before + mistake for _, before, mistake in WRONG] + CUT + [bytes(range(256))]
    talk.judge(b"".join(f(BINARY, d) for d in datas) + BYE, [binary(d) for d in datas] + [GONE])
    talk.judge(f(BINARY, b"\xff", fin=False) + f(PING, b"\xff") + f(CONT, b"\xc0") + BYE,
               [pong(b"\xff"), binary(b"\xff\xc0"), GONE])


@pytest.mark.parametrize("at", [0, 1, 1000, 65000, 65536, 200000])
def test_a_mistake_deep_in_a_large_message_fails_before_its_end(talk, at):
    data = ("ü€😀x" * (at // 10 + 1)).encode()[:at].decode(errors="ignore").encode()
    talk.judge(f(TEXT, data + b"\xff", length=1 << 20), [INVALID])
    talk.judge(f(TEXT, data, fin=False) + f(CONT, b"\xff", length=1 << 20), [INVALID])
