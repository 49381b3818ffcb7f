"""What was asked of a run, and what came out."""

from program import say


class Verdict:
    """Counts questions; one that has faults says how many and names some of them."""

    def __init__(self, shown=3):
        self.passed, self.failures = 0, []
        self.shown = shown

    def check(self, what, faults):
        faults = [str(fault) for fault in faults]
        if faults:
            self.failures.append(f"✘ {what}: {len(faults)} times no, such as {'; '.join(faults[: self.shown])}")
            say(self.failures[-1])
        else:
            self.passed += 1
            say(f"✔ {what}")

    @property
    def failed(self):
        return len(self.failures)

    def end(self):
        """Says again what failed, and prints the last line; the exit code that agrees with it."""
        for failure in self.failures:
            say(failure)
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0
