"""The hub against a server that behaves well, badly and maliciously. Needs TV_HUB_DRIVER and TV_ZERO_RANDOM."""
import dataclasses
import grp
import hashlib
import json
import os
import pathlib
import pwd
import re
import signal
import subprocess
import threading
import time

import pytest

from tls_server import Certificates, Server

DRIVER = os.environ["TV_HUB_DRIVER"]
ZERO_RANDOM = os.environ["TV_ZERO_RANDOM"]
BODY = bytes(range(1, 256)) * 1500  # 382,500 bytes: more than one piece, begins with no tag
SHA = hashlib.sha256(BODY).hexdigest()
# Ends calls that hang; no test waits for it.
GUARD = 50


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def server(certificates):
    server = Server(certificates.good)
    yield server
    server.shutdown()


@dataclasses.dataclass
class Hub:
    """One cache folder, one file name, and calls of the driver with them."""

    home: pathlib.Path
    server: Server
    authority: pathlib.Path
    name: str

    @property
    def folder(self):
        return self.home / "hub" / "checkpoints"

    @property
    def path(self):
        return self.folder / self.name

    @property
    def url(self):
        return self.server.url("/" + self.name)

    @property
    def hits(self):
        return self.server.hits["/" + self.name]

    def serve(self, route):
        self.server.routes["/" + self.name] = route

    def put(self, content):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(content)

    def environment(self, **changes):
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "XDG_CACHE_HOME"):
            environment.pop(name, None)
        environment.update({"TORCH_HOME": str(self.home), "SSL_CERT_FILE": str(self.authority)})
        environment.update({k: v for k, v in changes.items() if v is not None})
        for name in [k for k, v in changes.items() if v is None]:
            environment.pop(name, None)
        return environment

    def start(self, environment=None, **arguments):
        arguments = {"url": self.url, "sha256": SHA, **arguments}
        command = [DRIVER] + [f"{k}={v}" for k, v in arguments.items() if v is not None]
        return subprocess.Popen(command, env=self.environment(**(environment or {})), text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, process, line=None):
        out, err = process.communicate(line, timeout=GUARD)
        assert process.returncode == 0 and err == "", (process.returncode, err)
        return json.loads(out)

    def fetch(self, environment=None, **arguments):
        return self.end(self.start(environment, **arguments))

    def files(self):
        return sorted(os.listdir(self.folder)) if self.folder.is_dir() else []


@pytest.fixture
def hub(tmp_path, server, certificates, request):
    name = re.sub(r"\W+", "_", request.node.name) + ".pth"
    return Hub(tmp_path / "torch", server, certificates.authority, name)


def good(handler, _number):
    handler.answer(BODY)


def assert_fetched(hub, result):
    assert result["code"] == "ok", result
    assert (result["sha256"], result["size"]) == (SHA, len(BODY))
    assert (result["first"], result["last"]) == (BODY[0], BODY[-1])
    assert result["path"] == str(hub.path)
    assert hub.path.read_bytes() == BODY


def assert_failed(hub, result, code, *words, left=()):
    """The error's code, its words, and what every download error says; nothing but `left` is in the cache."""
    assert result["code"] == code, result
    text = result["what"] + " (" + result["hint"] + ")"
    for word in (hub.url, str(hub.path), SHA, *words):
        assert word in text, (word, text)
    assert "\n" not in text and not result["what"].endswith(".")
    assert hub.files() == sorted(left)


# ---- what works ------------------------------------------------------------------------------------------------


def test_download(hub):
    hub.serve(good)
    result = hub.fetch()
    assert_fetched(hub, result)
    assert hub.hits == 1 and hub.files() == [hub.name]
    assert result["progress"][-1] == [len(BODY), len(BODY)]
    assert result["progress"] == sorted(result["progress"])
    for folder in (hub.home, hub.home / "hub", hub.folder):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("digits", [0, 8, 10, 64])
def test_known_digest_may_be_a_prefix(hub, digits):
    hub.serve(good)
    assert_fetched(hub, hub.fetch(sha256=SHA[:digits]))


def test_existing_file_needs_no_connection(hub):
    hub.put(BODY)
    before = hub.server.connections
    result = hub.fetch()
    assert_fetched(hub, result)
    assert hub.server.connections == before and result["progress"] == []


def test_existing_file_is_used_offline(hub):
    hub.put(BODY)
    assert_fetched(hub, hub.fetch(offline=1))


def test_existing_file_in_a_read_only_folder(hub):
    hub.put(BODY)
    hub.folder.chmod(0o500)
    assert_fetched(hub, hub.fetch())
    hub.folder.chmod(0o700)


def test_redirect_within_https(hub):
    target = hub.url + ".moved"
    hub.server.routes["/" + hub.name + ".moved"] = good
    hub.serve(lambda handler, _: handler.answer(b"<html>moved</html>", 302, Location=target))
    assert_fetched(hub, hub.fetch())


def test_query_is_no_part_of_the_name(hub):
    hub.server.routes["/" + hub.name + "?token=1"] = good
    assert_fetched(hub, hub.fetch(url=hub.url + "?token=1"))


def test_curl_ca_bundle_is_honoured(hub):
    hub.serve(good)
    assert_fetched(hub, hub.fetch({"SSL_CERT_FILE": None, "CURL_CA_BUNDLE": str(hub.authority)}))


def test_four_processes_at_once(hub):
    gate = threading.Barrier(4)

    def together(handler, _number):
        gate.wait(GUARD)  # all four are inside the download at the same moment
        handler.answer(BODY)

    hub.serve(together)
    for result in [hub.end(process) for process in [hub.start() for _ in range(4)]]:
        assert_fetched(hub, result)
    assert hub.files() == [hub.name] and hub.hits == 4


# ---- the cached file is wrong or strange -----------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"wrong", BODY[:-1] + b"\0"], ids=["empty", "other", "one-byte"])
def test_wrong_file_is_set_aside_and_fetched_again(hub, content):
    hub.put(content)
    hub.serve(good)
    assert_fetched(hub, hub.fetch())
    assert hub.hits == 1 and hub.files() == [hub.name, hub.name + ".bad"]
    assert (hub.folder / (hub.name + ".bad")).read_bytes() == content


def test_wrong_file_and_a_failing_server(hub):
    hub.put(b"wrong")
    hub.serve(lambda handler, _: handler.answer(b"gone", 404))
    assert_failed(hub, hub.fetch(), "unreadable", "404", hashlib.sha256(b"wrong").hexdigest(), hub.name + ".bad",
                  left=[hub.name + ".bad"])


@pytest.mark.parametrize("digits", [8, 64])
def test_wrong_file_and_a_wrong_answer(hub, digits):
    """One download, not one after the other; neither file is used, and only what was there before is kept."""
    hub.put(b"wrong")
    hub.serve(lambda handler, _: handler.answer(BODY[::-1]))
    result = hub.fetch(sha256=SHA[:digits])
    assert result["code"] == "bad-digest", result
    for word in (hashlib.sha256(b"wrong").hexdigest(), hashlib.sha256(BODY[::-1]).hexdigest(), SHA[:digits], "5 bytes",
                 f"{len(BODY)} bytes", hub.url, hub.name + ".bad"):
        assert word in result["what"], (word, result)
    assert (f"expected sha256 beginning with {SHA[:8]}" in result["what"]) == (digits == 8), result
    assert str(hub.path) in result["hint"]
    assert hub.hits == 1 and hub.files() == [hub.name + ".bad"]
    assert (hub.folder / (hub.name + ".bad")).read_bytes() == b"wrong"


def test_bad_files_are_never_read(hub):
    hub.put(b"worse")
    (hub.folder / (hub.name + ".bad")).write_bytes(BODY)  # even with the right bytes
    assert_failed(hub, hub.fetch(offline=1), "bad-digest", left=[hub.name + ".bad"])
    assert (hub.folder / (hub.name + ".bad")).read_bytes() == b"worse"
    (hub.folder / (hub.name + ".bad")).write_bytes(BODY)
    assert_failed(hub, hub.fetch(offline=1), "not-found", left=[hub.name + ".bad"])


def test_wrong_file_offline(hub):
    hub.put(b"wrong")
    assert_failed(hub, hub.fetch(offline=1), "bad-digest", hashlib.sha256(b"wrong").hexdigest(),
                  left=[hub.name + ".bad"])


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_existing_path_is_no_file(hub, kind):
    hub.folder.mkdir(parents=True)
    hub.path.mkdir() if kind == "folder" else os.mkfifo(hub.path)
    hub.serve(good)
    result = hub.fetch()
    assert result["code"] == "unreadable" and str(hub.path) in result["what"], result
    assert hub.hits == 0


def test_link_in_place_of_the_file(hub, tmp_path):
    victim = tmp_path / "victim"
    hub.folder.mkdir(parents=True)
    hub.serve(good)
    for content in (None, b"precious"):  # a dangling link, then one to a file
        hub.path.unlink(missing_ok=True)
        hub.path.symlink_to(victim)
        if content:
            victim.write_bytes(content)
        assert_fetched(hub, hub.fetch())
        assert not hub.path.is_symlink()
        assert victim.read_bytes() == content if content else not victim.exists()


# ---- user-defined local files ----------------------------------------------------------------------------------


def test_local_file_is_read_in_place(hub, tmp_path):
    own = tmp_path / "own.pth"
    own.write_bytes(BODY)
    result = hub.fetch(url=None, file=own)
    assert (result["code"], result["path"], result["cache_path"]) == ("ok", str(own), str(own))
    own.write_bytes(b"changed")
    result = hub.fetch(url=None, file=own)
    assert result["code"] == "bad-digest" and own.read_bytes() == b"changed" and os.listdir(tmp_path) == ["own.pth"]
    for word in ("Test_Weights.V1", str(own), SHA, hashlib.sha256(b"changed").hexdigest()):
        assert word in result["what"]
    own.unlink()
    result = hub.fetch(url=None, file=own)
    assert result["code"] == "not-found" and str(own) in result["what"]


# ---- the server's answers --------------------------------------------------------------------------------------


def test_wrong_digest(hub):
    hub.serve(lambda handler, _: handler.answer(BODY[::-1]))
    assert_failed(hub, hub.fetch(), "bad-digest", hashlib.sha256(BODY[::-1]).hexdigest(), str(len(BODY)))
    assert hub.hits == 1


def test_short_prefix_matches_nothing(hub):
    hub.serve(good)
    assert hub.fetch(sha256=SHA[:7])["code"] == "bad-digest" and hub.files() == []


def test_empty_body_is_no_file_even_without_a_digest(hub):
    hub.serve(lambda handler, _: handler.answer(b""))
    assert hub.fetch(sha256="")["code"] == "bad-digest" and hub.files() == []


def test_truncated_body(hub):
    def truncated(handler, _number):
        handler.head(Content_Length=len(BODY) + 1000)
        handler.wfile.write(BODY)

    hub.serve(truncated)
    assert_failed(hub, hub.fetch(), "unreadable", "3 attempts")
    assert hub.hits == 3


def test_announced_size_below_the_body(hub):
    """What comes behind the announced size belongs to nothing."""
    def generous(handler, _number):
        handler.head(Content_Length=len(BODY))
        handler.wfile.write(BODY + b"more")

    hub.serve(generous)
    assert_fetched(hub, hub.fetch())
    hub.path.unlink()
    hub.serve(lambda handler, _: (handler.head(Content_Length=len(BODY) - 1000), handler.wfile.write(BODY)))
    assert_failed(hub, hub.fetch(), "bad-digest", hashlib.sha256(BODY[:-1000]).hexdigest())
    assert hub.hits == 2


@pytest.mark.parametrize("length", ["-1", "1e3", "many", str(2**63)])
def test_announced_size_is_no_size(hub, length):
    def odd(handler, _number):
        handler.head(Content_Length=length)
        handler.wfile.write(BODY[::-1])

    hub.serve(odd)
    result = hub.fetch()
    assert result["code"] in ("unreadable", "bad-digest") and hub.files() == [], result
    assert hub.hits == 1


@pytest.mark.parametrize("listed", [len(BODY), None], ids=["listed-size", "no-size-known"])
def test_endless_body(hub, listed):
    sent, ended = [0], threading.Event()

    def endless(handler, _number):
        handler.head()
        try:
            while True:
                handler.wfile.write(BODY)
                sent[0] += len(BODY)
        finally:
            ended.set()

    hub.serve(endless)
    bound = len(BODY) + 64 if listed else 1 << 20
    assert_failed(hub, hub.fetch(size=listed), "bad-digest", f"larger than the {bound} bytes")
    assert ended.wait(GUARD) and hub.hits == 1
    assert sent[0] < 64 << 20  # socket buffers apart, nothing went beyond the bound


def test_announced_size_beyond_the_bound(hub):
    hub.serve(good)
    assert_failed(hub, hub.fetch(size=len(BODY) - 65), "bad-digest", f"announced: {len(BODY)} bytes")
    assert_fetched(hub, hub.fetch(size=len(BODY) - 64))


def test_reset_in_the_middle_is_tried_again(hub):
    def resetting(handler, number):
        if number == 3:
            return handler.answer(BODY)
        handler.head(Content_Length=len(BODY))
        handler.wfile.write(BODY[: number * 100_000])
        handler.reset()

    hub.serve(resetting)
    assert_fetched(hub, hub.fetch())
    assert hub.hits == 3 and hub.files() == [hub.name]


def test_resets_at_any_byte_are_tried_again(hub):
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
    answer = head + BODY
    cuts = [0, 1, len(head) - 1, len(head), len(head) + 1, len(answer) - 1, len(answer)]

    def resetting(handler, number):
        cut = cuts[number - 1]
        handler.wfile.write(answer[:cut])
        if cut < len(answer):
            handler.reset()

    hub.serve(resetting)
    assert_fetched(hub, hub.fetch(attempts=len(cuts)))
    assert hub.hits == len(cuts) and hub.files() == [hub.name]


def test_resets_without_end(hub):
    hub.serve(lambda handler, _: handler.reset())
    assert_failed(hub, hub.fetch(), "unreadable", "3 attempts")
    assert hub.hits == 3


@pytest.mark.parametrize("thrown, text", [("memory", "bad_alloc"), ("number", "unknown type")])
def test_an_exception_of_the_receiver_ends_the_transfer(hub, thrown, text):
    hub.serve(good)
    result = hub.fetch(throw=thrown)
    assert result["code"] == "internal" and text in result["what"], result
    assert hub.files() == []


@pytest.mark.parametrize("status", [301, 403, 404, 410, 501])
def test_lasting_http_errors(hub, status):
    hub.serve(lambda handler, _: handler.answer(b"no", status))
    assert_failed(hub, hub.fetch(), "unreadable", f"HTTP status {status}")
    assert hub.hits == 1


def test_partial_content_is_no_answer(hub):
    hub.serve(lambda handler, _: handler.answer(BODY, 206))
    assert_failed(hub, hub.fetch(), "unreadable", "HTTP status 206")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_http_errors(hub, status):
    hub.serve(lambda handler, number: handler.answer(BODY) if number == 2 else handler.answer(b"", status))
    assert_fetched(hub, hub.fetch())
    assert hub.hits == 2


def test_passing_http_errors_that_stay(hub):
    hub.serve(lambda handler, _: handler.answer(b"", 503))
    assert_failed(hub, hub.fetch(), "unreadable", "HTTP status 503", "3 attempts")
    assert hub.hits == 3


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><title>Log in</title>", b"\xef\xbb\xbf\r\n <html>"])
def test_web_page(hub, body):
    hub.serve(lambda handler, _: handler.answer(body, Content_Type="text/html"))
    assert_failed(hub, hub.fetch(), "unreadable", "web page", "captive portal")
    assert hub.hits == 1
    result = hub.fetch(sha256="")  # nor where any file would do
    assert result["code"] == "unreadable" and "web page" in result["what"] and hub.files() == []


def test_redirect_to_http_is_refused(hub, certificates):
    plain = Server()
    plain.routes["/" + hub.name] = good
    hub.serve(lambda handler, _: handler.answer(b"", 302, Location=plain.url("/" + hub.name)))
    assert_failed(hub, hub.fetch(), "unreadable", "away from https", plain.url("/" + hub.name))
    assert plain.connections == 0 and hub.hits == 1
    plain.shutdown()


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://localhost/x", "gopher://localhost/x"])
def test_redirect_to_other_protocols_is_refused(hub, target):
    hub.serve(lambda handler, _: handler.answer(b"", 302, Location=target))
    assert_failed(hub, hub.fetch(sha256=SHA), "unreadable", "away from https")


def test_redirect_loop(hub):
    hub.serve(lambda handler, _: handler.answer(b"", 302, Location=hub.url))
    assert_failed(hub, hub.fetch(), "unreadable", "redirects")
    assert hub.hits == 6  # the first request and five redirects


# ---- TLS -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["unsigned", "other_name"])
def test_wrong_certificate_is_refused(hub, certificates, which):
    bad = Server(getattr(certificates, which))
    bad.routes["/" + hub.name] = good
    mine = dataclasses.replace(hub, server=bad)
    assert_failed(mine, mine.fetch(), "unreadable", "certificate" if which == "unsigned" else "no alternative")
    assert mine.hits == 0 and bad.connections == 1
    bad.shutdown()


def test_unknown_authority_is_refused(hub):
    hub.serve(good)
    assert_failed(hub, hub.fetch({"SSL_CERT_FILE": None}), "unreadable", "certificate")
    assert hub.hits == 0


def test_plain_http_server_is_refused(hub):
    plain = Server()
    plain.routes["/" + hub.name] = good
    mine = dataclasses.replace(hub, server=plain)
    result = mine.fetch()
    assert result["code"] == "invalid-argument" and mine.url in result["what"] and plain.connections == 0
    result = mine.fetch(url=mine.url.replace("http:", "https:"))
    assert result["code"] == "unreadable" and plain.hits["/" + hub.name] == 0
    plain.shutdown()


# ---- no network ------------------------------------------------------------------------------------------------


def test_offline_names_the_path(hub):
    before = hub.server.connections
    assert_failed(hub, hub.fetch(offline=1), "not-found")
    assert hub.server.connections == before


def test_connection_refused(hub):
    closed = Server()
    mine = dataclasses.replace(hub, server=closed)
    closed.scheme = "https"
    closed.shutdown()
    closed.server_close()
    assert_failed(mine, mine.fetch(), "unreadable", "3 attempts")


def test_unknown_host(hub):
    result = hub.fetch(url=f"https://host.invalid/{hub.name}", attempts=1, connect_ms=5000)
    assert result["code"] == "unreadable" and "host.invalid" in result["what"] and str(hub.path) in result["hint"]


def test_stalled_transfer(hub):
    hold = threading.Event()

    def stall(handler, _number):
        handler.head(Content_Length=len(BODY))
        handler.wfile.write(BODY[:1000])
        hold.wait(GUARD)

    hub.serve(stall)
    result = hub.fetch(low_speed_time=1, attempts=1)
    hold.set()
    assert_failed(hub, result, "unreadable", "too slow")


@pytest.mark.parametrize("part", ["headers", "body"])
def test_dripping_transfer(hub, part):
    """A byte now and then, for ever: never idle, and never done."""
    hold = threading.Event()

    def drip(handler, _number):
        if part == "body":
            handler.head(Content_Length=len(BODY))
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not hold.wait(0.05):
            handler.wfile.write(b"a")

    hub.serve(drip)
    result = hub.fetch(low_speed_time=1, attempts=1)
    hold.set()
    assert_failed(hub, result, "unreadable", "too slow")


def test_endless_headers(hub):
    def endless(handler, _number):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-More: " + b"a" * 1000 + b"\r\n")

    hub.serve(endless)
    assert_failed(hub, hub.fetch(), "unreadable", "headers")
    assert hub.hits <= 3  # libcurl's code for it may stand for a passing error, too


def test_silent_server(hub):
    """Accepts the connection and never begins the handshake."""
    silent = Server()
    hold = threading.Event()
    silent.process_request = lambda *_: hold.wait(GUARD)
    silent.scheme = "https"
    mine = dataclasses.replace(hub, server=silent)
    result = mine.fetch(connect_ms=200, attempts=1)
    hold.set()
    assert_failed(mine, result, "unreadable", "imeout")
    silent.shutdown()


# ---- cancel ----------------------------------------------------------------------------------------------------


def test_cancelled_before(hub):
    before = hub.server.connections
    assert hub.fetch(cancel="before")["code"] == "cancelled"
    assert hub.server.connections == before and hub.files() == []


def test_cancelled_in_a_stalled_transfer(hub):
    """Without the cancel the call would last for the whole low-speed time and beyond the guard."""
    hold, stalled = threading.Event(), threading.Event()

    def stall(handler, _number):
        handler.head(Content_Length=len(BODY))
        handler.wfile.write(BODY[:1000])
        handler.wfile.flush()
        stalled.set()
        hold.wait(GUARD * 2)

    hub.serve(stall)
    process = hub.start(cancel="stdin", low_speed_time=1000)
    assert stalled.wait(GUARD)
    result = hub.end(process, "now\n")
    hold.set()
    assert result["code"] == "cancelled" and "Test_Weights.V1" in result["what"] and hub.files() == []


def test_cancelled_by_the_progress_callback(hub):
    def endless(handler, _number):
        handler.head()
        while True:
            handler.wfile.write(BODY)

    hub.serve(endless)
    result = hub.fetch(cancel="progress", size_unlisted=1 << 40)
    assert result["code"] == "cancelled" and len(result["progress"]) == 1 and hub.files() == []
    assert result["progress"][0][1] == 0  # the server announced no length


def test_cancelled_between_attempts(hub):
    asked = threading.Event()

    def busy(handler, _number):
        handler.answer(b"", 503)
        asked.set()

    hub.serve(busy)
    process = hub.start(cancel="stdin", back_off_ms=1_000_000)
    assert asked.wait(GUARD)
    assert hub.end(process, "now\n")["code"] == "cancelled" and hub.hits == 1 and hub.files() == []


# ---- the disk --------------------------------------------------------------------------------------------------


def test_disk_full(hub):
    hub.serve(good)
    assert_failed(hub, hub.fetch(file_limit=200_000), "no-space", "200000 bytes", "bytes free")
    assert hub.hits == 1


@pytest.mark.parametrize("home", ["file", "/proc"])
def test_no_folder_can_be_made(hub, tmp_path, home):
    (tmp_path / "file").write_text("")
    mine = dataclasses.replace(hub, home=tmp_path / home / "torch" if home == "file" else pathlib.Path("/proc/torch"))
    mine.serve(good)
    assert_failed(mine, mine.fetch(), "unwritable", "TORCH_HOME")
    assert mine.hits == 0


def private(gid):
    """A group of the user's own name with nobody else in it."""
    user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    return group.gr_gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def assert_folder_refused(hub, *words, **arguments):
    result = hub.fetch(**arguments)
    assert result["code"] == "unwritable", result
    text = result["what"] + " (" + result["hint"] + ")"
    for word in ("Test_Weights.V1", str(hub.folder), "TORCH_HOME", *words):
        assert word in text, (word, text)


@pytest.mark.parametrize("cached", [False, True])
def test_folder_writable_by_everybody_is_refused(hub, cached):
    hub.put(BODY) if cached else hub.folder.mkdir(parents=True)
    hub.folder.chmod(0o777)
    hub.serve(good)
    for arguments in ({}, {"offline": 1}):
        assert_folder_refused(hub, "writable by everybody", f"chmod go-w {hub.folder}", **arguments)
    assert hub.hits == 0 and hub.files() == [hub.name] * cached
    hub.folder.chmod(0o755)  # the way out that the message names
    assert_fetched(hub, hub.fetch())


def test_folder_writable_by_a_group(hub):
    """Refused, but for the user's private group, which a umask of 002 lets in."""
    hub.put(BODY)
    groups = [group.gr_gid for group in grp.getgrall()] if os.geteuid() == 0 else os.getgroups()
    for gid in {os.getegid(), *groups[:3]}:
        os.chown(hub.folder, -1, gid)
        hub.folder.chmod(0o770)
        if private(gid):
            assert_fetched(hub, hub.fetch())
        else:
            assert_folder_refused(hub, f"writable by group id {gid}", f"chmod go-w {hub.folder}")


def test_planted_link_in_place_of_the_temporary_file(hub, tmp_path):
    """With the random numbers known, somebody plants a link where the temporary file will be."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    hub.folder.mkdir(parents=True)
    planted = ".tv-" + "0" * 16 + ".part"
    (hub.folder / planted).symlink_to(victim)
    hub.serve(good)
    # The second variable matters only where the driver is built with AddressSanitizer.
    preload = {"LD_PRELOAD": ZERO_RANDOM, "ASAN_OPTIONS": "verify_asan_link_order=0"}
    assert_failed(hub, hub.fetch(preload), "unwritable", "File exists", left=[planted])
    assert victim.read_text() == "precious"
    (hub.folder / planted).unlink()
    assert_fetched(hub, hub.fetch(preload))  # the name was really the planted one


def test_only_own_stale_files_are_swept(hub):
    hub.folder.mkdir(parents=True)
    old, young = time.time() - 25 * 3600, time.time() - 23 * 3600
    ages = {
        ".tv-0123456789abcdef.part": old,
        ".tv-0123456789abcde0.part": young,
        ".tv-0123456789abcdeg.part": old,
        ".tv-0123456789abcdef.part.pth": old,
        "resnet18-f37072fd.pth": old,
    }
    for name, when in ages.items():
        (hub.folder / name).write_text("")
        os.utime(hub.folder / name, (when, when))
    hub.serve(good)
    assert_fetched(hub, hub.fetch())
    assert hub.files() == sorted([hub.name, *list(ages)[1:]])


def test_killed_download_needs_no_repair(hub):
    hold, stalled = threading.Event(), threading.Event()

    def stall_once(handler, number):
        if number > 1:
            return handler.answer(BODY)
        handler.head(Content_Length=len(BODY))
        handler.wfile.write(BODY[:300_000])
        stalled.set()
        hold.wait(GUARD)

    hub.serve(stall_once)
    process = hub.start()
    assert stalled.wait(GUARD)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hold.set()
    assert not hub.path.exists()
    assert_fetched(hub, hub.fetch())


# ---- names -----------------------------------------------------------------------------------------------------


def test_cache_folder(hub):
    cases = [
        ({"TORCH_HOME": "/a/b", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/a/b/hub/checkpoints"),
        ({"TORCH_HOME": None, "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/torch/hub/checkpoints"),
        ({"TORCH_HOME": None, "XDG_CACHE_HOME": None, "HOME": "/h"}, "/h/.cache/torch/hub/checkpoints"),
        ({"TORCH_HOME": "~/models", "HOME": "/h"}, "/h/models/hub/checkpoints"),
    ]
    script = "import json, os, sys, torch.hub\n" \
             "for e in json.load(sys.stdin): os.environ.clear(); os.environ.update(e); print(torch.hub.get_dir())"
    environments = [hub.environment(**changes) for changes, _ in cases]
    torch = subprocess.run([os.environ["TV_TEST_PYTHON"], "-c", script], input=json.dumps(environments),
                           capture_output=True, text=True, check=True)
    for (changes, expected), judge in zip(cases, torch.stdout.splitlines(), strict=True):
        found = hub.fetch(changes, offline=1)
        assert found["cache_dir"] == expected == judge + "/checkpoints"
        assert found["cache_path"] == f"{expected}/{hub.name}"


def test_home_from_the_user_database(hub):
    import pwd
    found = hub.fetch({"TORCH_HOME": None, "HOME": None}, offline=1)
    assert found["cache_dir"] == pwd.getpwuid(os.geteuid()).pw_dir + "/.cache/torch/hub/checkpoints"


@pytest.mark.parametrize("tail", ["/", "/..", "/a%2fb/.", ""])
def test_url_without_a_file_name(hub, tail):
    result = hub.fetch(url=f"https://localhost:1{tail}", attempts=1)
    assert result["code"] == "invalid-argument" and "file name" in result["what"], result


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "HTTP"])
def test_only_https(hub, scheme):
    result = hub.fetch(url=f"{scheme}://localhost/{hub.name}")
    assert result["code"] == "invalid-argument" and "https" in result["what"]


def test_secrets_stay_out_of_messages(hub):
    url = hub.url.replace("https://", "https://somebody:s3cret@") + "?token=t0ken"
    result = hub.fetch(url=url, offline=1)
    assert result["code"] == "not-found" and hub.url in result["what"]
    assert "s3cret" not in json.dumps(result) and "t0ken" not in json.dumps(result)
