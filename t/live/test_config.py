"""Mistakes in the configuration are found at configtest, with file, line, word and what is allowed.

SPDX-License-Identifier: Apache-2.0
"""
import re

import pytest

import digest

DIRECTORY = ["AuthWSScheme Basic", "AuthWSUserFile conf/a1", "AuthWSAlgorithm MD5",
             "AuthWSQop auth-int auth", "AuthWSUserhash On", "AuthWSDomain /x",
             "AuthWSNonceLifetime 5m", "AuthWSNextNonce always", "AuthWSBodyLimit 10M"]
SERVER = ["AuthWSSecretFile conf/secret", "AuthWSSharedMemory 1M"]


def prepare(server):
    server.secret("a1", digest.a1_line("alice", "r", "sesame"))
    server.secret("secret", "0123456789abcdef\n")


def check(start_server, config, prepare_more=None, modules=()):
    def both(server):
        prepare(server)
        if prepare_more:
            prepare_more(server)

    server = start_server(config, prepare=both, start=False, modules=modules)
    status, said = server.configtest()
    return server, status, said


def refused(start_server, directive, context="<Location />", prepare_more=None):
    """What is said about a directive; asserts that file and line are named."""
    closing = "</" + re.match(r"<(\w+)", context).group(1) + ">" if context else ""
    server, status, said = check(start_server, f"{context}\n{directive}\n{closing}", prepare_more)
    assert status != 0, f"accepted: {directive}"
    number = server.text().splitlines().index(directive) + 1
    assert f"Syntax error on line {number} of {server.conf}/httpd.conf:" in said, said
    return said


MISTAKES = [
    ("AuthWSScheme", ["nothing is given", "Digest, Basic"]),
    ("AuthWSScheme Digset", ['"Digset" is not a scheme', "allowed are Digest, Basic"]),
    ("AuthWSScheme Basic basic", ["Basic is given twice"]),
    ("AuthWSUserFile", ["nothing is given", "A1 file"]),
    ("AuthWSUserFile conf/missing.a1", ["conf/missing.a1", "No such file"]),
    ("AuthWSUserFile conf/a1 conf/missing.a1", ["conf/missing.a1", "No such file"]),
    ("AuthWSUserFile conf", ["/conf: "]),
    ("AuthWSAlgorithm", ["nothing is given"]),
    ("AuthWSAlgorithm SHA-256 SHA256", ['"SHA256" is not an algorithm', "MD5, SHA-256 and",
                                        "-sess"]),
    ("AuthWSAlgorithm MD5 SHA-256 md5", ['"md5" is given twice']),
    ("AuthWSAlgorithm SHA3-256", ['"SHA3-256" is not an algorithm']),
    ('AuthWSAlgorithm ""', ["nothing is given"]),
    ('AuthWSAlgorithm "MD5 SHA-256"', ['"MD5 SHA-256" is not an algorithm']),
    ("AuthWSQop", ["nothing is given", "auth, auth-int"]),
    ("AuthWSQop auth,auth-int", ['"auth,auth-int" is not a qop', "allowed are auth, auth-int"]),
    ("AuthWSUserhash", ["AuthWSUserhash must be On or Off"]),
    ("AuthWSUserhash maybe", ["AuthWSUserhash must be On or Off"]),
    ("AuthWSDomain", ["nothing is given", "paths, absolute URIs"]),
    ("AuthWSDomain ftp://host/", ['"ftp://host/" is not part of a protection space',
                                  "allowed are paths"]),
    ("AuthWSDomain //host/x", ['"//host/x"']), ("AuthWSDomain host/x", ['"host/x"']),
    ("AuthWSDomain host:port", ['"host:port"']), ("AuthWSDomain host:99999", ['"host:99999"']),
    ("AuthWSDomain user@host", ['"user@host"']), ("AuthWSDomain http://", ['"http://"']),
    ('AuthWSDomain "/a b"', ['"/a b"']), ("AuthWSDomain '/a\"b'", ["/a"]),
    ('AuthWSDomain ""', ["nothing is given"]),
    ("AuthWSDomain http://host:0/", ['"http://host:0/"']),
    ("AuthWSDomain https://host:65536/x", ['"https://host:65536/x"']),
    ("AuthWSDomain host:", ['"host:"']), ("AuthWSDomain :80", ['":80"']),
    ("AuthWSDomain /ok h\u00f6st", ["is not part of a protection space"]),
    ("AuthWSNonceLifetime", ["takes one argument"]),
    ("AuthWSNonceLifetime 1m 2m", ["takes one argument"]),
    ("AuthWSNonceLifetime soon", ['"soon" is not a time', "ms, s, m (or mi) or h"]),
    ("AuthWSNonceLifetime 5x", ['"5x" is not a time']),
    ("AuthWSNonceLifetime -5", ['"-5" is not a time']),
    ("AuthWSNonceLifetime m", ['"m" is not a time']),
    ("AuthWSNonceLifetime 0", ['"0" is out of range', "1s to 24h"]),
    ("AuthWSNonceLifetime 999ms", ['"999ms" is out of range']),
    ("AuthWSNonceLifetime 25h", ['"25h" is out of range', "1s to 24h"]),
    ("AuthWSNonceLifetime 99999999999999999999999h", ['"99999999999999999999999h"']),
    ("AuthWSNonceLifetime 5m5", ['"5m5" is not a time']),
    ("AuthWSNextNonce", ["takes one argument"]),
    ("AuthWSNextNonce often", ['"often" is not known', "half, always, off"]),
    ("AuthWSBodyLimit", ["takes one argument"]),
    ("AuthWSBodyLimit much", ['"much" is not a size', "K, M or G"]),
    ("AuthWSBodyLimit 1KB", ['"1KB" is not a size']), ("AuthWSBodyLimit -1", ['"-1"']),
    ("AuthWSBodyLimit 2G", ['"2G" is out of range', "0 to 1G"]),
    ("AuthWSBodyLimit 99999999999999999999", ['"99999999999999999999"']),
    ("AuthWSBodyLimit 9223372036854775807G", ['"9223372036854775807G" is out of range']),
]

SERVER_MISTAKES = [
    ("AuthWSSecretFile", ["takes one argument"]),
    ("AuthWSSecretFile conf/gone", ["conf/gone", "No such file"]),
    ("AuthWSSecretFile conf/short", ["conf/short", "holds 15 bytes", "at least 16"]),
    ("AuthWSSecretFile conf/empty", ["conf/empty", "holds 0 bytes"]),
    ("AuthWSSecretFile conf", ["/conf: "]),
    ("AuthWSSharedMemory", ["takes one argument"]),
    ("AuthWSSharedMemory lots", ['"lots" is not a size']),
    ("AuthWSSharedMemory 1K", ['"1K" is out of range', "64K to 64G"]),
    ("AuthWSSharedMemory 65G", ['"65G" is out of range']),
]


@pytest.mark.parametrize("directive, words", MISTAKES, ids=[ascii(m[0]) for m in MISTAKES])
def test_a_wrong_word_is_named_with_what_is_allowed(start_server, directive, words):
    said = refused(start_server, directive)
    assert directive.split()[0] in said
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("directive, words", SERVER_MISTAKES, ids=[m[0] for m in SERVER_MISTAKES])
def test_a_wrong_word_for_the_whole_server_too(start_server, directive, words):
    def more(server):
        server.secret("short", "fifteen bytes..\n")
        server.secret("empty", "")

    said = refused(start_server, directive, "", more)
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("directive", SERVER)
@pytest.mark.parametrize("context", ["<Location />", "<Directory />", "<Files x>"])
def test_what_is_for_the_whole_server_stands_in_no_section(start_server, directive, context):
    said = refused(start_server, directive, context)
    assert f"{directive.split()[0]} not allowed in {context.split()[0].rstrip('>')}>" in said


@pytest.mark.parametrize("words", DIRECTORY + SERVER)
def test_what_is_right_is_accepted_in_every_place_it_may_stand(start_server, words):
    contexts = ["{}", "<VirtualHost *:@PORT@>\n{}\n</VirtualHost>"]
    if words in DIRECTORY:
        contexts = ["<Location />\n{}\n</Location>", "<Directory @DOCROOT@>\n{}\n</Directory>",
                    "<Files x>\n{}\n</Files>", "<If true>\n{}\n</If>",
                    "<Proxy *>\n{}\n</Proxy>",
                    "<VirtualHost *:@PORT@>\n<Location />\n{}\n</Location>\n</VirtualHost>"]
    _, status, said = check(start_server, "\n".join(c.format(words) for c in contexts),
                            modules=["proxy"])
    assert (status, said) == (0, "Syntax OK\n")


@pytest.mark.parametrize("word", ["1s", "60", "1500ms", "5m", "5M", "5mi", "24h", "1440mi"])
def test_times_are_httpds_and_m_is_minutes(start_server, word):
    assert check(start_server, f"<Location />\nAuthWSNonceLifetime {word}\n</Location>")[1] == 0


BROKEN = [
    ("nonsense\n", "1:"), ("a:r:" + "0" * 32 + "\nb:r:" + "0" * 31 + "\n", "2:"),
    ("# fine\n\na:r:{SHA-256}" + "0" * 63 + "\n", "3:"), ("a:r:{ROT13}00\n", "1:6:"),
    ("a:r:" + "g" * 32 + "\n", "1:5:"), ("a\tb:r:" + "0" * 32 + "\n", "1:2:"),
    ("a:r:x:" + "0" * 32 + "\n", "1:6:"), ("ok:r:" + "0" * 32 + "\na:\udce4:" + "0" * 32 + "\n", "2:3:"),
]


@pytest.mark.parametrize("text, where", BROKEN, ids=[ascii(b[0])[:24] for b in BROKEN])
def test_a_broken_a1_file_is_named_with_line_and_column(start_server, text, where):
    said = refused(start_server, "AuthWSUserFile conf/a1 conf/broken",
                   prepare_more=lambda server: (server.conf / "broken").write_bytes(
                       text.encode(errors="surrogateescape")))
    assert re.search(rf"AuthWSUserFile: /.*/conf/broken:{where}", said), said


def test_an_a1_file_that_everybody_may_read_is_warned_of(start_server):
    def more(server):
        (server.conf / "a1").chmod(0o644)

    _, status, said = check(start_server, "<Location />\nAuthWSUserFile conf/a1\n</Location>",
                            more)
    assert status == 0 and "AW1001" in said and "conf/a1: mode 0644" in said


def test_a_secret_that_everybody_may_read_is_warned_of(start_server):
    def more(server):
        (server.conf / "secret").chmod(0o644)

    _, status, said = check(start_server, "AuthWSSecretFile conf/secret", more)
    assert status == 0 and "AW2001" in said and "conf/secret" in said


def test_a_word_with_a_line_end_in_it_stays_on_one_line_of_the_message(start_server):
    said = refused(start_server, "AuthWSAlgorithm \"MD5\x1b[31m\x07\"")
    assert "\x1b" not in said and "\x07" not in said


def test_lists_are_replaced_as_a_whole_and_the_rest_is_inherited(start_server):
    def pages(server):
        prepare(server)
        server.page("in/index.html", "in\n")
        server.page("in/ner/index.html", "inner\n")

    server = start_server("""
        <Directory @DOCROOT@>
            AuthWSAlgorithm SHA-512
            AuthWSUserFile conf/a1
        </Directory>
        <Location "/in">
            AuthType AuthWS
            AuthName r
            AuthWSAlgorithm SHA-512-256 SHA-256 MD5
            AuthWSDomain /in
            AuthWSQop auth auth-int
            AuthWSUserhash On
            Require valid-user
        </Location>
        <Location "/in/ner">
            AuthWSAlgorithm MD5
            AuthWSUserhash Off
            AuthWSQop auth
        </Location>""", prepare=pages)
    outer = digest.challenges(server.get("/in/"))
    assert [c["algorithm"] for c in outer] == ["SHA-512-256", "SHA-256", "MD5"]
    inner = digest.challenges(server.get("/in/ner/"))
    assert [c["algorithm"] for c in inner] == ["MD5"]
    assert inner[0]["domain"] == "/in" and "userhash" not in inner[0]
    assert inner[0]["qop"] == "auth" and outer[0]["qop"] == "auth,auth-int"
    assert digest.Client("alice", "sesame").get(server.connect(), "/in/ner/").status == 200
