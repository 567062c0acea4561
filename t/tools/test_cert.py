"""authws cert: certificate maps, and what people copy along with a thumbprint.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import built  # noqa: E402


def run(*args, expect=0):
    done = subprocess.run([built.authws(), "cert", *map(os.fspath, args)], capture_output=True,
                          timeout=100, stdin=subprocess.DEVNULL)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr.decode())
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


def openssl(*args):
    return subprocess.run(["openssl", *map(os.fspath, args)], check=True, capture_output=True,
                          stdin=subprocess.DEVNULL).stdout


def make(path, subject="/O=Example, Inc/CN=Jane"):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path.with_suffix(".key"), "-out", path, "-subj", subject)
    return path


def make_old(folder):
    """A certificate of the past, signed by its own key."""
    (folder / "index").touch()
    (folder / "ca.cnf").write_text(f"[ca]\ndefault_ca = c\n[c]\ndatabase = {folder}/index\n"
                                   f"new_certs_dir = {folder}\nserial = {folder}/serial\n"
                                   "policy = p\n"
                                   "default_md = sha256\n[p]\ncommonName = supplied\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", folder / "old.key", "-out", folder / "old.csr", "-subj", "/CN=Jane")
    openssl("ca", "-batch", "-selfsign", "-config", folder / "ca.cnf", "-in", folder / "old.csr",
            "-keyfile", folder / "old.key", "-out", folder / "old.pem", "-rand_serial", "-notext",
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
    return folder / "old.pem"


def prints(path):
    """The SHA-1 and the SHA-256 fingerprint."""
    der = openssl("x509", "-in", path, "-outform", "DER")
    return hashlib.sha1(der).hexdigest(), hashlib.sha256(der).hexdigest()


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return make(tmp_path_factory.mktemp("cert") / "jane.pem")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "certificates.map"


def test_a_certificate_is_added_by_its_sha256_fingerprint(file, pem):
    said = run("add", "--from", pem, file, "jane").err
    assert r"CN=Jane,O=Example\, Inc" in said and "warning" not in said
    assert file.read_text() == f"{prints(pem)[1]} jane\n"
    assert file.stat().st_mode & 0o7777 == 0o640
    assert run("list", file).out == f"{prints(pem)[1]}\tjane\t\n"
    run("check", file)


def test_der_does_as_well(file, pem, tmp_path):
    der = tmp_path / "jane.der"
    der.write_bytes(openssl("x509", "-in", pem, "-outform", "DER"))
    run("add", "--from", der, file, "jane")
    assert file.read_text() == f"{prints(pem)[1]} jane\n"


def test_a_certificate_has_one_line_in_a_realm(file, pem):
    file.write_text(f"# map\n{prints(pem)[0]} old\n{'0' * 40} other\n")
    run("add", "--from", pem, file, "Jane \"JD\" Doe", "My Realm")
    assert "Replaced" in run("add", "--from", pem, file, "jane").err
    assert file.read_text() == (f"# map\n{prints(pem)[1]} jane\n{'0' * 40} other\n"
                                f'{prints(pem)[1]} "Jane \\"JD\\" Doe" "My Realm"\n')
    assert run("list", file).out.splitlines()[2] == f'{prints(pem)[1]}\tJane "JD" Doe\tMy Realm'


def test_an_expired_certificate_is_warned_of(file, tmp_path):
    old = make_old(tmp_path)
    assert "warning: the certificate has expired" in run("add", "--from", old, file, "jane").err


def test_what_is_no_certificate_is_not_added(file, pem, tmp_path):
    junk = tmp_path / "junk.pem"
    junk.write_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    assert "not a certificate" in run("add", "--from", junk, file, "jane", expect=3).err
    run("add", "--from", tmp_path / "none.pem", file, "jane", expect=3)
    run("add", "--from", pem, file, "a:b", expect=2)
    run("add", "--from", pem, file, "a\u200eb", expect=2)
    assert not file.exists()


def test_mistakes_are_named_by_line_column_and_code_point(file):
    good = "0123456789abcdef" * 4
    file.write_text(f"# map\n\u200e{good} jane\n{good}\u00a0jane\n{good[:39]} jane\n"
                    f"{good} ja\u200bne\n"
                    f"{good[:38]}xy jane\n{good}\n{good} jane\n {good} joe\n", encoding="utf-8")
    assert run("check", file, expect=1).out == (
        f"{file}:2:1: U+200E (LEFT-TO-RIGHT MARK) in the fingerprint\n"
        f"{file}:3:65: U+00A0 (NO-BREAK SPACE) in the fingerprint\n"
        f"{file}:4:40: 39 hexadecimal digits; a fingerprint has 40 (SHA-1) or 64 (SHA-256)\n"
        f"{file}:5:68: U+200B (ZERO WIDTH SPACE) in the user name\n"
        f"{file}:6:39: \"x\" is not a hexadecimal digit\n"
        f"{file}:7:65: a user name expected behind the fingerprint\n"
        f"{file}:9:2: the same fingerprint as in line 8, there for another user\n")
    assert run("list", file, expect=1).out.splitlines() == [f"{good}\tjane\t", f"{good}\tjoe\t"]


def test_a_byte_order_mark_is_named(file):
    file.write_bytes(b"\xef\xbb\xbf# map\n")
    assert f"{file}:1:1: U+FEFF" in run("check", file, expect=1).out


def test_unknown_users_are_named(file, tmp_path):
    users = tmp_path / "users.a1"
    users.write_text(f"jane:R:{'0' * 32}\nJane Doe:S:{'0' * 32}\n")
    digits = [f"{i:040x}" for i in range(5)]
    file.write_text(f"{digits[0]} jane\n{digits[1]} jane R\n{digits[2]} jane S\n"
                    f'{digits[3]} "Jane Doe" S\n{digits[4]} joe\n')
    assert run("check", "--users", users, file, expect=1).out == (
        f"{file}:3:42: unknown user jane in realm S\n{file}:5:42: unknown user joe\n")
    run("check", file)
    run("check", "--users", tmp_path / "none", file, expect=3)


def test_several_maps_are_checked_and_one_that_is_missing_counts(file, pem, tmp_path):
    run("add", "--from", pem, file, "jane")
    other = tmp_path / "other.map"
    other.write_text("x\n")
    assert f"{other}:1:1: " in run("check", file, other, expect=1).out
    run("check", file, tmp_path / "none", other, expect=3)


def test_a_map_that_everybody_may_change_is_warned_of(file):
    file.write_text(f"{'0' * 40} jane\n")
    file.chmod(0o666)
    assert "warning: mode 0666" in run("check", file).err


@pytest.mark.parametrize("args", [
    ("add",), ("add", "map", "user"), ("add", "--from", "x", "map"), ("check",), ("list",),
    ("check", "--from", "x", "map"), ("list", "--users", "x", "map"), ("nonsense",), (),
    ("add", "--from", "x", "map", "user", "realm", "more")])
def test_bad_usage_is_told(args):
    assert run(*args, expect=2).err != ""


def test_every_job_says_what_it_takes():
    for job in ("add", "check", "list"):
        assert "authws cert" in run(job, "--help").out
