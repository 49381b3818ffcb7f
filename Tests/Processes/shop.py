"""A shop of real processes with a broker of its own: `Tests/Chaos` and `Tests/Walk` do bad things to it."""

import json
import os
import pathlib
import signal
import subprocess

from program import Program, call, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BROKER = ROOT / "deploy/lib/broker"
# Quicker than usual.
RETRIES = {"WARREN_RETRY_BASE": "100ms", "WARREN_RETRY_FACTOR": "2", "WARREN_RETRY_CAP": "1s"}


class Shop:
    """Services, their outside world, their mail server and their broker.

    `settings` answers what a program is told beside what every one of them needs, and is asked when all ports are known. Each of
    `worlds` is a sandbox.
    """

    def __init__(self, binaries, home, services, settings, worlds=("sandbox",)):
        self.home, self.services = home, services
        self.warren_command = f"{binaries}/warren"
        self.broker_url = self.broker("start").strip()
        self.ports = {name: free_port() for name in (*services, *worlds, "mail", "smtp")}
        self.operations = {name: free_port() for name in services}
        self.slow_stops = 0
        mail = [str(ROOT / "deploy/lib/mail-sink"), "--smtp", f"127.0.0.1:{self.ports['smtp']}", "--keep", "1000000"]
        self.mail = self.program("mail", mail + ["--http", f"127.0.0.1:{self.ports['mail']}"], {})
        self.programs = {}
        for name in worlds:
            journal = {"SANDBOX_JOURNAL": str(home / f"{name}.journal")}
            self.programs[name] = self.program(name, [f"{binaries}/sandbox"], {**journal, **settings(self, name)})
        for name in services:
            usual = {
                "WARREN_AMQP_URL": self.broker_url,
                "WARREN_OPERATIONS_ADDRESS": f"127.0.0.1:{self.operations[name]}",
                "WARREN_DATABASE_URL": f"sqlite:{self.database(name)}",
                **RETRIES,
            }
            self.programs[name] = self.program(name, [f"{binaries}/{name}-service"], {**usual, **settings(self, name)})

    def program(self, name, command, environment):
        environment = {"WARREN_HTTP_ADDRESS": f"127.0.0.1:{self.ports[name]}", "WARREN_LOG_FORMAT": "text", **environment}
        return Program(name, command, self.ports[name], self.home, environment)

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def operations_url(self, name):
        return f"http://127.0.0.1:{self.operations[name]}"

    def database(self, name):
        """The database file of a service."""
        return self.home / f"{name}.db"

    def broker(self, *command):
        found = subprocess.run(
            [str(BROKER), command[0], str(self.home / "broker"), *command[1:]], stdout=subprocess.PIPE, text=True
        )
        if found.returncode != 0:
            raise SystemExit(f"the broker's {command[0]} failed")
        return found.stdout

    @property
    def everything(self):
        return [self.mail, *self.programs.values()]

    def start(self):
        for program in self.everything:
            program.start()
        for program in self.everything:
            program.wait_until_ready()

    def stop(self):
        for program in self.everything:
            if program.process:
                program.send(signal.SIGCONT)
                program.end(signal.SIGKILL)

    def end(self, name, number):
        """Ends a program; counts those that did not end when they were asked to."""
        if not self.programs[name].end(number):
            self.slow_stops += 1

    def warren_environment(self):
        services = ",".join(f"{name}={self.operations_url(name)}" for name in self.services)
        addresses = {f"WARREN_{name.upper()}_URL": self.url(name) for name in self.services}
        return {"WARREN_SERVICES": services, "WARREN_AMQP_URL": self.broker_url, **addresses}

    def warren(self, *command, codes=(0,)):
        """What the `warren` command answers as JSON lines; None where its exit code is another than those."""
        found = subprocess.run(
            [self.warren_command, *command, "--output", "jsonl"],
            env={**os.environ, **self.warren_environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        rows = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
        return rows if found.returncode in codes else None

    def backlog(self):
        """What waits in the services, in words; None where one does not answer."""
        rows = self.warren("status")
        if rows is None or len(rows) < len(self.services) or any("backlog" not in row for row in rows):
            return None
        return [
            f"{row['service']}: {row['backlog'][kind]} {kind}"
            for row in rows
            for kind in ("unforwarded", "scheduled", "held")
            if row["backlog"][kind]
        ]

    def sent_mails(self):
        """Every mail that the mail server took."""
        return call(self.ports["mail"], "GET", "/api/v1/messages", timeout=60)[1]["messages"]

    def provider_ledger(self):
        """What the provider did."""
        return call(self.ports["sandbox"], "GET", "/sandbox/ledger", timeout=60)[1]
