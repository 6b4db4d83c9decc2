"""A TLS server on the loopback interface whose answers the tests choose, and certificates made on the spot."""
import collections
import contextlib
import http.server
import os
import socket
import ssl
import struct
import subprocess
import threading


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Certificates:
    """A throw-away authority, a certificate of it for localhost, one for another name, and one nobody signed."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = folder / "authority.pem"
        self._self_signed("authority", "Test authority", "basicConstraints=critical,CA:TRUE")
        self.good = self._signed("good", "localhost")
        self.other_name = self._signed("other", "elsewhere.example")
        self.unsigned = self._self_signed("unsigned", "localhost", "subjectAltName=DNS:localhost")

    def _self_signed(self, stem, name, extension):
        pem, key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
                "-subj", f"/CN={name}", "-addext", extension, "-keyout", key, "-out", pem)
        return pem, key

    def _signed(self, stem, name):
        pem, key, request = (self.folder / f"{stem}.{end}" for end in ("pem", "key", "csr"))
        extensions = self.folder / f"{stem}.ext"
        extensions.write_text(f"subjectAltName=DNS:{name}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", self.folder / "authority.key",
                "-CAcreateserial", "-days", 2, "-extfile", extensions, "-out", pem)
        return pem, key


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        with self.server.lock:
            self.server.hits[self.path] += 1
            number = self.server.hits[self.path]
        # A client that went away in the middle is what many tests are about.
        with contextlib.suppress(OSError):
            self.server.routes[self.path](self, number)

    def head(self, status=200, **headers):
        """Status and headers; names with underscores for hyphens."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def answer(self, body, status=200, **headers):
        self.head(status, Content_Length=len(body), **headers)
        self.wfile.write(body)

    def reset(self):
        """Ends the connection with a TCP reset."""
        self.wfile.flush()
        descriptor = self.connection.detach()
        with socket.socket(fileno=descriptor) as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def finish(self):
        with contextlib.suppress(OSError, ValueError):
            super().finish()
            # The end of a body whose length nobody knows: without TLS's own goodbye it may have been cut off.
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.unwrap()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Routes are functions of (handler, how often this path was asked for, from 1)."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes, self.hits, self.lock = {}, collections.Counter(), threading.Lock()
        self.connections = 0
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(os.fspath, certificate))
            # The handshake belongs to the connection's own thread: a failing one must not stop the others.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def get_request(self):
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_):
        pass  # refused handshakes

    def url(self, path):
        return f"{self.scheme}://localhost:{self.server_address[1]}{path}"
