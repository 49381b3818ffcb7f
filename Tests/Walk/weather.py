"""What goes wrong in a walk: it does the plan's faults to the programs, the broker and the outside world."""

import signal
import threading
import time

from program import call


class Weather:
    """Strikes at the planned times; faults of different programs may overlap, those of one program come one after the other."""

    def __init__(self, shop, plan):
        self.shop, self.plan = shop, plan
        self.counts = {}
        self.lock = threading.Lock()
        self.busy = {name: threading.Lock() for name in (*shop.programs, "broker")}

    def play(self):
        """All faults; returns when the last has ended and everything runs again."""
        began = time.monotonic()
        strikes = []
        for fault in self.plan.faults:
            time.sleep(max(0, began + fault.at - time.monotonic()))
            strike = threading.Thread(target=self.strike, args=(fault,), daemon=True)
            strike.start()
            strikes.append(strike)
        time.sleep(max(0, began + self.plan.seconds - time.monotonic()))
        for strike in strikes:
            strike.join()
        self.calm()

    def calm(self):
        """Nothing goes wrong from here on."""
        for program in self.shop.everything:
            program.wait_until_ready()
        self.sandbox("DELETE", "/sandbox/faults")
        self.courier("DELETE", "/sandbox/courier/faults")
        self.sandbox("POST", "/sandbox/webhooks", {"action": "release"})
        call(self.shop.ports["mail"], "PUT", "/api/v1/chaos", {})

    def strike(self, fault):
        deed = {
            "kill": self.end,
            "terminate": self.end,
            "absence": self.end,
            "freeze": self.freeze,
            "provider": self.plan_fault,
            "courier": self.plan_courier_fault,
            "hold": self.hold,
            "refusal": self.refuse_mail,
        }[fault.kind]
        if deed(fault) is False:
            return
        detail = fault.detail.get("kind") or fault.detail.get("action")
        label = " ".join(filter(None, (fault.label, fault.detail.get("operation") or fault.detail.get("call"), detail)))
        with self.lock:
            self.counts[label] = self.counts.get(label, 0) + 1

    def end(self, fault):
        # One that is away already, or a broker that comes back still, is left alone.
        lock = self.busy[fault.target]
        if not lock.acquire(blocking=False):
            return False
        with lock_held(lock):
            if fault.target == "broker":
                self.shop.broker("kill")
                time.sleep(fault.seconds)
                self.shop.broker("start")
            else:
                self.shop.end(fault.target, signal.SIGTERM if fault.kind == "terminate" else signal.SIGKILL)
                time.sleep(fault.seconds)
                self.shop.programs[fault.target].start()
        return True

    def freeze(self, fault):
        lock = self.busy[fault.target]
        if not lock.acquire(blocking=False):
            return False
        with lock_held(lock):
            program = self.shop.programs[fault.target]
            program.send(signal.SIGSTOP)
            time.sleep(1 + fault.seconds)
            program.send(signal.SIGCONT)
        return True

    def plan_fault(self, fault):
        return self.sandbox("POST", "/sandbox/faults", fault.detail)

    def plan_courier_fault(self, fault):
        return self.courier("POST", "/sandbox/courier/faults", fault.detail)

    def hold(self, fault):
        held = self.sandbox("POST", "/sandbox/webhooks", {"action": "hold"})
        time.sleep(fault.seconds)
        return self.sandbox("POST", "/sandbox/webhooks", {"action": fault.detail["action"]}) and held

    def refuse_mail(self, fault):
        mail = self.shop.ports["mail"]
        call(mail, "PUT", "/api/v1/chaos", {"Recipient": {"ErrorCode": fault.detail["code"], "Probability": 100}})
        time.sleep(fault.seconds)
        call(mail, "PUT", "/api/v1/chaos", {})
        return True

    def sandbox(self, method, path, body=None):
        """Whether the sandbox, which may be away just now, was told."""
        return call(self.shop.ports["sandbox"], method, path, body, timeout=3)[0] == 204

    def courier(self, method, path, body=None):
        """Whether the courier, which may be silent just now, was told."""
        return call(self.shop.ports["courier"], method, path, body, timeout=3)[0] == 204


class lock_held:
    """Gives a lock back that is held already."""

    def __init__(self, lock):
        self.lock = lock

    def __enter__(self):
        return self.lock

    def __exit__(self, *_):
        self.lock.release()
