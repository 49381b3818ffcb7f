"""Follows a page: makes its files, runs its commands in one shell, compares what they answer.

    follow.py PAGE FOLDER PORT

Files are fenced blocks after a line `NAME`:, commands those of the language `console`: a line that begins with `$ `, and below
it what it answers; `…` in a line stands for anything, as a line of its own for any lines. The port 8085 of the page is PORT, and
9085 is 1000 above it. A question (curl, and what `warren` only reads with) is asked again for a minute: what it asks about may
take a moment. Prints how many steps came out as written, and how many did not; the first that does not ends it.
"""

import os
import pathlib
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time

QUESTIONS = re.compile(r"^(curl|warren (status|events|dead-letters (list|show|groups)))\b")
PATIENCE = 60
LONGEST = 1800


def say(text):
    print(text, file=sys.stderr, flush=True)


def blocks(text):
    """Yields (name of the file or None, language, lines)."""
    lines = text.split("\n")
    name = None
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.startswith("```"):
            end = lines.index("```", index + 1)
            yield name, line[3:], lines[index + 1 : end]
            name = None
            index = end
        elif line.strip():
            found = re.fullmatch(r"`([A-Za-z0-9_./-]+)`:", line)
            name = found.group(1) if found else None
        index += 1


def steps(lines):
    """Yields (command, lines of its answer)."""
    command, answer = None, []
    for line in lines:
        if line.startswith("$ "):
            if command is not None:
                yield command, answer
            command, answer = line[2:], []
        else:
            answer.append(line)
    if command is not None:
        yield command, answer


def agrees(expected, answer):
    pattern = "\n".join(expected)
    parts = [".*" if part == "…" else re.escape(part) for part in re.split("(…)", pattern)]
    return re.fullmatch("".join(parts), answer.rstrip("\n"), re.DOTALL) is not None


class Shell:
    """One bash for all commands: what one exports the next one has, and jobs are there to be ended."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.count = 0
        self.write("set -m")

    def write(self, text):
        self.process.stdin.write((text + "\n").encode())
        self.process.stdin.flush()

    def run(self, command, limit):
        self.count += 1
        mark = f"--- end of step {self.count} ---"
        self.write(f"{command}\necho '{mark}'")
        answer = b""
        deadline = time.monotonic() + limit
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        while mark.encode() not in answer:
            if not selector.select(max(0, deadline - time.monotonic())):
                raise TimeoutError(f"no end after {limit} s")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                break
            answer += chunk
        return answer.decode(errors="replace").split(mark)[0]

    def end(self):
        # Jobs have groups of their own; the shell ends them by its own list.
        try:
            self.run("kill $(jobs -p) 2>/dev/null; wait", 30)
            self.run("[ ! -d broker ] || ../warren/deploy/lib/broker stop broker", 60)
        except (TimeoutError, BrokenPipeError):
            pass
        self.process.stdin.close()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def tidy(folder):
    """What an earlier run has left, but what it has built: a service starts with nothing."""
    if pathlib.Path(folder, "broker").is_dir():
        subprocess.run(["../warren/deploy/lib/broker", "stop", "broker"], cwd=folder, check=False, stdout=sys.stderr)
    for path in pathlib.Path(folder).iterdir():
        if path.name in (".build", "Sources", "Package.swift", "Package.resolved"):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main():
    page, folder, port = sys.argv[1:4]
    tidy(folder)
    # Operations are served 1000 above.
    text = pathlib.Path(page).read_text().replace("8085", port).replace("9085", str(int(port) + 1000))
    passed = 0
    shell = Shell(folder)
    try:
        for name, language, lines in blocks(text):
            if name:
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                content = "\n".join(lines) + "\n"
                # What has not changed is not built again.
                if not path.exists() or path.read_text() != content:
                    path.write_text(content)
                if name.endswith("main.swift") and sum(1 for line in lines if line.strip()) > 40:
                    say(f"FAILED: {name} has more than 40 lines")
                    return passed, 1
                passed += 1
            elif language == "console":
                for command, expected in steps(lines):
                    deadline = time.monotonic() + PATIENCE
                    while True:
                        answer = shell.run(command, LONGEST)
                        # Job control tells of what it started and what has ended.
                        answer = re.sub(r"(?m)^\[\d+\].*\n", "", answer)
                        if agrees(expected, answer):
                            break
                        if not QUESTIONS.match(command) or time.monotonic() > deadline:
                            wanted = "\n".join(expected)
                            say(f"FAILED: $ {command}\n--- should answer\n{wanted}\n--- answered\n{answer}")
                            return passed, 1
                        time.sleep(0.5)
                    passed += 1
        return passed, 0
    finally:
        shell.end()


if __name__ == "__main__":
    try:
        print(*main())
    except TimeoutError as error:
        say(f"FAILED: {error}")
        print(0, 1)
