"""A program of the shop as a real process, and how it is asked."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(port, method, path, body=None, key=None, timeout=10):
    """One request; the status and the JSON of the answer, or None and None where there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data.startswith((b"{", b"[")) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return None, None
    finally:
        connection.close()


class Program:
    """A program of the shop, which can be started again and again."""

    def __init__(self, name, command, port, folder, environment):
        self.name, self.command, self.port = name, command, port
        self.log = open(folder / f"{name}.log", "ab")
        self.environment = {**os.environ, **environment}
        self.folder = folder
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def send(self, number):
        if self.is_running:
            self.process.send_signal(number)

    def end(self, number):
        """Ends it; returns when it has ended, and whether it did so by that signal."""
        self.send(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            say(f"{self.name} did not end by signal {number} within 30 s")
            self.send(signal.SIGKILL)
            self.process.wait()
            return False
        return True

    def wait_until_ready(self, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended with {self.process.returncode}; see {self.log.name}")
            if call(self.port, "GET", "/readyz", timeout=2)[0] == 200:
                return
            time.sleep(0.1)
        raise SystemExit(f"{self.name} is not ready after {seconds} s; see {self.log.name}")
