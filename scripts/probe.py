#!/usr/bin/env python3
"""Says whether a web server answers, so that a long download is only begun where there is hope.

    probe.py URL SECONDS

Exit status 0 when the address answers a HEAD request within the time, name look-up included; otherwise 1, and the reason
on standard output, in one line. Proxies (https_proxy) and the bundle of authorities (SSL_CERT_FILE) are those of the
environment.
"""
import os
import sys
import threading
import urllib.request


def ask(url, seconds):
    """"" or why not."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds).close()
    except Exception as fault:  # whatever it is, the answer is "no"
        return " ".join(str(getattr(fault, "reason", "") or fault or type(fault).__name__).split())
    return ""


def main(url, seconds):
    answer = []
    # A thread, because the look-up of a name knows no time limit and each address has a limit of its own.
    thread = threading.Thread(target=lambda: answer.append(ask(url, seconds)), daemon=True)
    thread.start()
    thread.join(seconds)
    reason = answer[0] if answer else f"no answer within {seconds:g} s"
    if reason:
        print(reason, flush=True)
    os._exit(1 if reason else 0)  # without waiting for the thread


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    main(sys.argv[1], float(sys.argv[2]))
