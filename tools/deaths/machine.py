# SPDX-License-Identifier: GPL-2.0
"""A guest of tools/vm/vm that may die: what it prints, and QEMU's monitor."""
import collections
import json
import os
import signal
import socket
import subprocess
import threading
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
PANIC_SECONDS = 10  # from the end of a panic until the kernel resets the machine
MEMORY = "1G"

# A place of its own in the guest's memory. What is set apart by reserve_mem= lies
# elsewhere after the next boot if the kernel, which picks its place at random, has
# taken it; from what memmap= names it stays away.
BUFFER = "12M", "0x20000000"


class Lost(Exception):
    """The guest did not do what it should."""


def command_line():
    size, place = BUFFER
    return (f"panic={PANIC_SECONDS} memmap={size}${place} "
            f"trace_instance=boot_map^traceoff@{place}:{size}")


class Monitor:
    """QEMU's own protocol, QMP."""

    def __init__(self, path, deadline):
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Lost("QEMU's monitor does not answer") from None
                time.sleep(0.05)
        self.file = self.socket.makefile("rw")
        json.loads(self.file.readline())
        self.resets = 0  # heard of
        self.do("qmp_capabilities")

    def do(self, command, **arguments):
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise Lost("QEMU has gone")
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Lost(f"{command}: {answer['error']['desc']}")
            self.resets += answer.get("event") == "RESET"

    def close(self):
        self.file.close()
        self.socket.close()


class Machine:
    """A guest under way; its files are in a folder of its own below build/."""

    def __init__(self, folder, command, seconds):
        self.folder = folder
        self.deadline = time.monotonic() + seconds
        self.lines = collections.deque()
        self.more = threading.Condition()
        self.over = False
        self.errors = open(os.path.join(folder, "errors"), "wb")
        tools = os.path.join(TOP, "build/host/tools")
        environment = dict(os.environ, KERNEL="6.12", IMAGE="vmlinuz", LOAD="no",
                           MEM=MEMORY, CPUS="2", TIMEOUT=str(seconds), PARAMS="",
                           APPEND=command_line(), WATCH=os.path.relpath(folder, TOP),
                           PATH=f"{tools}:{os.environ['PATH']}", VM_ENV="KERNEL")
        self.process = subprocess.Popen(["tools/vm/vm", command], cwd=TOP, env=environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        threading.Thread(target=self.read, daemon=True).start()
        # A path from here, because a socket's may have 107 characters only.
        self.monitor = Monitor(os.path.relpath(os.path.join(folder, "qmp")),
                               self.deadline)

    def read(self):
        with open(os.path.join(self.folder, "output"), "wb") as copy:
            for line in self.process.stdout:
                copy.write(line)
                copy.flush()
                with self.more:
                    self.lines.append(line.decode(errors="replace").rstrip("\n"))
                    self.more.notify()
        with self.more:
            self.over = True
            self.more.notify()

    def line(self):
        """The next that the guest prints; None after the last."""
        with self.more:
            while not self.lines and not self.over:
                if not self.more.wait(max(0, self.deadline - time.monotonic())):
                    raise Lost("the guest said nothing more")
            return self.lines.popleft() if self.lines else None

    def lines_until(self, last):
        lines = []
        while True:
            line = self.line()
            if line is None:
                raise Lost(f'the guest ended before "{last}"')
            if line == last:
                return lines
            lines.append(line)

    def resets(self):
        """How often it was reset, by whomever."""
        self.monitor.do("query-status")  # what has happened is told before the answer
        return self.monitor.resets

    def said(self):
        """All that it has printed so far and nobody asked for."""
        with self.more:
            lines = list(self.lines)
            self.lines.clear()
        return lines

    def console(self):
        with open(os.path.join(self.folder, "console"), "rb") as console:
            return console.read()

    def await_console(self, text):
        while text not in self.console():
            if self.over or time.monotonic() > self.deadline:
                raise Lost(f"the console never said {text.decode()!r}")
            time.sleep(0.05)

    def memory(self, address, size):
        """What stands at an address of the kernel's."""
        path = os.path.join(self.folder, "memory")
        address -= (address >> 63) << 64  # to QEMU addresses have a sign
        self.monitor.do("memsave", val=address, size=size, filename=path, cpu_index=0)
        with open(path, "rb") as file:
            data = file.read()
        os.unlink(path)
        return data

    def end(self):
        """The guest's exit status, once it has come to its end."""
        self.monitor.close()
        try:
            return self.process.wait(max(1, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Lost("the guest does not end") from None

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        self.errors.close()
