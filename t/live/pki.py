"""Authorities and certificates for tests, made with openssl, and a TLS client that presents them.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import re
import ssl
import subprocess
import time

import http1

CONFIG = """
[ca]
default_ca = me
[me]
database = {folder}/{name}.index
serial = {folder}/{name}.serial
new_certs_dir = {folder}
certificate = {folder}/{name}.pem
private_key = {folder}/{name}.key
default_md = sha256
default_days = 3
default_crl_days = 3
policy = any
unique_subject = no
email_in_dn = yes
string_mask = utf8only
[any]
C = optional
O = optional
OU = optional
CN = optional
emailAddress = optional
[req]
distinguished_name = dn
string_mask = utf8only
utf8 = yes
[dn]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[client]
basicConstraints = CA:false
extendedKeyUsage = clientAuth
[server]
basicConstraints = CA:false
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, DNS:a.test, DNS:b.test, DNS:c.test, IP:127.0.0.1
"""
KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
        "rsa": ["-newkey", "rsa:2048"], "ed25519": ["-newkey", "ed25519"]}


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


class Authority:
    """A CA in server.conf; without `issuer` a root."""

    def __init__(self, folder, name, issuer=None):
        self.folder, self.name, self.issuer = folder, name, issuer
        self.config = folder / f"{name}.cnf"
        self.config.write_text(CONFIG.format(folder=folder, name=name))
        self.pem = folder / f"{name}.pem"
        (folder / f"{name}.index").write_text("")
        (folder / f"{name}.serial").write_text(hashlib.sha256(name.encode()).hexdigest()[:12])
        if issuer:
            issuer.issue(name, f"/CN={name}", extensions="authority")
        else:
            run("openssl", "req", "-x509", *KEYS["ec"], "-nodes", "-days", "3", "-config",
                self.config, "-extensions", "authority", "-subj", f"/CN={name}", "-keyout",
                folder / f"{name}.key", "-out", self.pem)

    def issue(self, name, subject, key="ec", extensions="client", more="", start=-1, end=3):
        """NAME.pem and NAME.key in the folder; `more` are extensions, a line each."""
        request, conf = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        text = self.config.read_text()
        conf.write_text(re.sub(rf"\[{extensions}\]\n", f"[{extensions}]\n{more}\n", text))
        run("openssl", "req", "-new", *KEYS[key], "-nodes", "-config", conf, "-utf8", "-subj",
            subject, "-multivalue-rdn", "-keyout", self.folder / f"{name}.key", "-out", request)
        run("openssl", "ca", "-batch", "-notext", "-config", conf, "-extensions", extensions,
            "-startdate", stamp(start), "-enddate", stamp(end), "-in", request, "-utf8",
            "-preserveDN", "-out", self.folder / f"{name}.pem")
        return self.folder / f"{name}.pem"

    def revoke(self, name):
        run("openssl", "ca", "-config", self.config, "-revoke", self.folder / f"{name}.pem")

    def crl(self):
        path = self.folder / f"{self.name}.crl"
        run("openssl", "ca", "-config", self.config, "-gencrl", "-out", path)
        return path


def self_signed(folder, name, subject):
    run("openssl", "req", "-x509", *KEYS["ec"], "-nodes", "-days", "3", "-subj", subject,
        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")


def fingerprint(path, algorithm="sha256"):
    der = ssl.PEM_cert_to_DER_cert(re.search(r"-----BEGIN.*?-----END CERTIFICATE-----\n",
                                             path.read_text(), re.S).group(0))
    return hashlib.new(algorithm, der).hexdigest()


def context(server, client=None, version=None, alpn=None):
    """A client's settings; `client` names a certificate in conf/."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if client:
        made.load_cert_chain(server.conf / f"{client}.pem", server.conf / f"{client}.key")
    if version:
        made.minimum_version = made.maximum_version = version
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


class Connection(http1.Connection):
    """A TLS connection that asks for the host `sni`; `session` is one to resume."""

    def __init__(self, server, client=None, sni="a.test", version=None, session=None, settings=None,
                 alpn=None):
        super().__init__("127.0.0.1", server.ports[1])
        self.settings = settings or context(server, client, version, alpn)
        self.socket = self.settings.wrap_socket(self.socket, server_hostname=sni, session=session)
        self.sni = sni

    def get(self, path, headers=(), method="GET", host=None):
        return self.request(method, path, headers, None, host or self.sni)


def get(server, path, client=None, headers=(), host=None, **options):
    """One request on a connection of its own."""
    with Connection(server, client, **options) as connection:
        return connection.get(path, headers, host=host)
