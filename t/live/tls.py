"""TLS for tests: certificates made on the spot, and a client that decides every byte of a record.

SPDX-License-Identifier: Apache-2.0
"""
import ssl
import subprocess

import http1

# What a test module puts into MODULES and, as a virtual host on @PORT2@, into its CONFIG.
MODULES = ["socache_shmcb", "ssl"]
HOST = """
<VirtualHost 127.0.0.1:@PORT2@>
    SSLEngine On
    SSLCertificateFile @CONF@/server.pem
    SSLCertificateKeyFile @CONF@/server.key
    %s
</VirtualHost>
"""


def host(inside=""):
    """The virtual host, with more directives inside."""
    return HOST % inside


def certificate(server, name="server", subject="localhost"):
    """Makes conf/NAME.pem and conf/NAME.key: self-signed, for localhost and 127.0.0.1."""
    pem, key = server.conf / f"{name}.pem", server.conf / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "3", "-subj", f"/CN={subject}",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True, timeout=60)
    return pem, key


def context(server, client=None, version=None):
    """A client's settings: trusts conf/server.pem; `client` names its own certificate."""
    made = ssl.create_default_context(cafile=str(server.conf / "server.pem"))
    if client:
        made.load_cert_chain(server.conf / f"{client}.pem", server.conf / f"{client}.key")
    if version:
        made.minimum_version = made.maximum_version = version
    return made


class Connection(http1.Connection):
    """A TLS connection; what goes out can be sealed first and sent in pieces later."""

    def __init__(self, server, client=None, version=None, port=None, timeout=20, alpn=(),
                 before=b""):
        super().__init__("127.0.0.1", port or server.ports[1], timeout)
        self.socket.sendall(before)
        settings = context(server, client, version)
        if alpn:
            settings.set_alpn_protocols(list(alpn))
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = settings.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
                self.socket.sendall(self.outgoing.read())
                break
            except ssl.SSLWantReadError:
                self.socket.sendall(self.outgoing.read())
                self._receive()

    def _receive(self):
        data = self.socket.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return bool(data)

    def seal(self, data):
        """The records that carry `data`, to be sent by the caller, in order."""
        self.tls.write(data)
        return self.outgoing.read()

    def send(self, data):
        self.socket.sendall(self.seal(data))

    def _fill(self):
        while True:
            try:
                data = self.tls.read(65536)
                break
            except ssl.SSLWantReadError:
                if self.outgoing.pending:
                    self.socket.sendall(self.outgoing.read())
                self._receive()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return False
        self.buffer += data
        return bool(data)
