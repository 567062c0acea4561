"""AuthWSProvider over httpd's own files: mod_authn_file, mod_authn_dbm, aliases; and its mistakes.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import shutil
import subprocess

import pytest

import digest

CONFIG = """
Header always set X-User "expr=%{REMOTE_USER}"
<AuthnProviderAlias file second>
    AuthUserFile conf/second
</AuthnProviderAlias>
<AuthnProviderAlias authws circle>
    AuthWSUserFile conf/a1
</AuthnProviderAlias>
<Location "/">
    AuthType AuthWS
    AuthName "R"
    AuthWSScheme Digest Basic
    AuthWSAlgorithm SHA-512-256 SHA-256 MD5
    Require valid-user
</Location>
<Location "/file">
    AuthWSProvider file
    AuthUserFile conf/htdigest
</Location>
<Location "/dbm">
    AuthWSProvider dbm
    AuthDBMType sdbm
    AuthDBMUserFile conf/dbm
</Location>
<Location "/chain">
    AuthWSProvider dbm file second
    AuthDBMType sdbm
    AuthDBMUserFile conf/dbm
    AuthUserFile conf/htdigest
</Location>
<Location "/digest">
    AuthType Digest
    AuthDigestProvider authws
    AuthWSProvider dbm
    AuthDBMType sdbm
    AuthDBMUserFile conf/dbm
</Location>
<Location "/circle">
    AuthWSProvider circle
</Location>
<Location "/missing">
    AuthWSProvider file
    AuthUserFile conf/missing
</Location>
<Location "/userhash">
    AuthWSUserhash On
    AuthWSUserFile conf/a1
    AuthWSProvider file
    AuthUserFile conf/htdigest
</Location>
"""
MODULES = ["authn_dbm", "auth_digest"]
ALLOW = ["AW2086", "AW2087", "AW2022.*internal error", "AW2031.*: error:", "AH01622", "AH01790",
         "AH10284", "AH10285", "AH01794"]
ALL = ["MD5", "SHA-256", "SHA-512-256"]


def value(user, password):
    return "".join(f"{{{a}}}{digest.h(a, user, 'R', password)}" for a in ALL)


def prepare(server):
    server.secret("a1", digest.a1_line("inner", "R", "x", ALL))
    server.secret("htdigest", f"alice:R:{value('alice', 'sesame')}\n" +
                  digest.a1_line("md5", "R", "five", ["MD5"]))
    server.secret("second", f"carol:R:{value('carol', 'c')}\nalice:R:{value('alice', 'no')}\n")
    source = server.conf / "dbm.txt"
    source.write_text(f"bob:R {value('bob', 'b')}\n")
    program = shutil.which("httxt2dbm")
    subprocess.run([program, "-f", "sdbm", "-i", source, "-o", server.conf / "dbm"], check=True,
                   capture_output=True)
    for path in server.conf.glob("dbm.*"):
        server.protect(path)


def get(server, uri, user, password, algorithm="SHA-256"):
    with server.connect() as connection:
        return digest.Client(user, password, algorithm).get(connection, uri).status


def basic(server, uri, user, password):
    pair = f"{user}:{password}".encode()
    return server.get(uri, [b"Authorization: Basic " + base64.b64encode(pair)]).status


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("uri, user, password", [
    ("/file/", "alice", "sesame"), ("/dbm/", "bob", "b"), ("/chain/", "alice", "sesame"),
    ("/chain/", "bob", "b"), ("/chain/", "carol", "c")])
def test_users_of_httpd_s_files_get_in(server, uri, user, password, algorithm):
    assert get(server, uri, user, password, algorithm) == 404
    assert get(server, uri, user, password + "x", algorithm) == 401
    assert basic(server, uri, user, password) == 404
    assert basic(server, uri, user, password + "x") == 401


def test_the_first_that_knows_the_user_decides(server):
    assert get(server, "/chain/", "alice", "no") == 401
    assert get(server, "/chain/", "md5", "five", "MD5") == 404
    assert get(server, "/chain/", "md5", "five", "SHA-256") == 401
    assert get(server, "/chain/", "nobody", "x") == 401
    assert get(server, "/file/", "bob", "b") == 401


def test_mod_auth_digest_gets_the_md5_value_through_the_provider_authws(server):
    assert get(server, "/digest/", "bob", "b", "MD5") == 404
    assert get(server, "/digest/", "bob", "x", "MD5") == 401
    assert get(server, "/digest/", "nobody", "x", "MD5") == 401


def test_an_alias_that_leads_back_here_ends_in_500(server):
    mark = len(server.log())
    assert get(server, "/circle/", "bob", "b") == 500
    server.wait_log("AW2086: AuthWSProvider asks the provider authws", mark)


def test_a_file_that_is_not_there_is_500(server):
    mark = len(server.log())
    assert get(server, "/missing/", "bob", "b") == 500
    server.wait_log('AW2087: the provider "file" failed for user "bob", realm "R": /missing/', mark)


def test_userhash_is_not_offered_where_a_provider_is(server):
    assert "userhash" not in digest.pick(server.get("/userhash/"))
    assert get(server, "/userhash/", "alice", "sesame") == 404
    assert get(server, "/userhash/", "inner", "x") == 404


def configtest(start_server, text):
    server = start_server("\n".join(["<Location />", text, "</Location>"]), start=False,
                          modules=["authn_dbm", "authn_anon", "authn_dbd", "dbd"])
    server.ports = [80]
    server.write()
    done = subprocess.run(server.command("-t"), capture_output=True, text=True, check=False,
                          env=server.environment())
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("line, words", [
    ("AuthWSProvider", ["nothing is given"]),
    ("AuthWSProvider sql", ['"sql" is not registered', "dbd", "dbm", "file"]),
    ("AuthWSProvider file ldap", ['"ldap" is not registered']),
    ("AuthWSProvider anon", ['"anon" cannot give the hash of a realm', "dbd", "dbm", "file"]),
    ("AuthWSProvider authws", ['"authws" is this module itself']),
    ("AuthWSProvider file dbm file", ['"file" is given twice']),
    ("AuthWSUplift Maybe", ["AuthWSUplift must be On or Off"]),
])
def test_mistakes_are_named_with_what_is_there(start_server, line, words):
    status, said = configtest(start_server, line)
    assert status != 0 and "httpd.conf:" in said or "line" in said
    for word in words:
        assert word in said, said
    assert "authws," not in said.replace("this module", "")


@pytest.mark.parametrize("order", ["AuthWSUserhash On\nAuthWSProvider file",
                                   "AuthWSProvider file\nAuthWSUserhash On"])
def test_userhash_with_a_provider_is_warned_about_at_configtest(start_server, order):
    status, said = configtest(start_server, order)
    assert status == 0 and "AW2085" in said
    status, said = configtest(start_server, order.replace("On", "Off"))
    assert status == 0 and "AW2085" not in said
