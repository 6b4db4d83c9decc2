"""scripts/probe.py against servers that answer, refuse and keep silent. Needs TV_SCRIPTS (folder)."""
import http.server
import os
import pathlib
import socket
import subprocess
import sys
import threading

import pytest

PROGRAM = pathlib.Path(os.environ["TV_SCRIPTS"]) / "probe.py"


def probe(url, seconds):
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.run([sys.executable, PROGRAM, url, str(seconds)], env=environment, capture_output=True, text=True, timeout=60)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.server.asked.append(self.path)
        self.send_response(200 if self.path == "/there" else 403)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as instance:
        instance.asked = []
        threading.Thread(target=instance.serve_forever, daemon=True).start()
        yield instance
        instance.shutdown()


def test_answers(server):
    address = f"http://127.0.0.1:{server.server_port}"
    result = probe(f"{address}/there", 50)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert server.asked == ["/there"]
    result = probe(f"{address}/gone", 50)
    assert result.returncode == 1 and result.stdout == "Forbidden\n" and result.stderr == ""


def test_refuses():
    with socket.socket() as closed:  # bound, not listening
        closed.bind(("127.0.0.1", 0))
        result = probe(f"http://127.0.0.1:{closed.getsockname()[1]}/", 50)
    assert result.returncode == 1 and "Connection refused" in result.stdout and result.stdout.count("\n") == 1


def test_keeps_silent():
    """A connection that is taken and never answered, as through a firewall: it is given up, long before the guard."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = probe(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.5)
    assert result.returncode == 1 and ("no answer within 0.5 s" in result.stdout or "timed out" in result.stdout)
    assert result.stderr == ""


def test_no_such_name():
    result = probe("http://name.invalid/", 50)
    assert result.returncode == 1 and result.stdout.strip() and result.stderr == ""
