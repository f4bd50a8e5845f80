"""Stands between the conformance harness and the quickstart's server, as ../../../conformance/driver/PROTOCOL.md has it.

It starts the server, counts how often which file was written, and is somebody else who writes files too. The approving person the
harness plays itself, on the pages.
"""

import ctypes
import json
import os
import secrets
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

SERVER = ["cargo", "run", "--quiet", "--package", "quickstart", "--"]
CLOSE_WRITE = 8
"""Of Linux's inotify: a file that was open for writing was closed."""


class Directory:
    """The target: a directory of files. It sees each write, not only the last one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._writes: Counter[tuple[str, str]] = Counter()
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_CLOEXEC)
        if self._events < 0 or libc.inotify_add_watch(self._events, bytes(path), CLOSE_WRITE) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while events := os.read(self._events, 64 * 1024):
            at = 0
            while at < len(events):
                _, _, _, length = struct.unpack_from("iIII", events, at)
                if not length:
                    return  # The directory itself is gone.
                name = events[at + 16 : at + 16 + length].rstrip(b"\0").decode()
                at += 16 + length
                content = (self.path / name).read_text()
                self._writes[name, content] += 1

    def write(self, name: str, content: str) -> None:
        (self.path / name).write_text(content)

    def writes(self, name: str, content: str) -> int:
        # A write of our own comes after all that were before it: once it is seen, they are.
        mark = f"mark-{secrets.token_hex(8)}"
        self.write(mark, "")
        while self._writes[mark, ""] == 0:
            os.sched_yield()
        return self._writes[name, content]


class Driver:
    def __init__(self) -> None:
        self.server: subprocess.Popen[str] | None = None
        self.home: Path | None = None

    def start(self, _: dict) -> dict:
        self.stop()
        self.home = Path(tempfile.mkdtemp(prefix="quickstart-"))
        self.files = Directory(self.home / "files")
        self.files.write("kept", "there from the beginning")
        password = secrets.token_urlsafe(16)
        arguments = ["--person", "alice", "--dir", self.home / "files", "--state", self.home / "state"]
        arguments += ["--http", "127.0.0.1:0", "--page", "127.0.0.1:0"]
        self.server = subprocess.Popen(
            [*SERVER, *arguments],
            env=os.environ | {"QUICKSTART_PASSWORD": password},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        told = {}
        for line in self.server.stderr:
            what, _, value = line.strip().partition(": ")
            told[what] = value
            if "the agent's bearer token" in told:
                break
        else:
            raise RuntimeError(f"the server has ended: {self.server.wait()}")
        threading.Thread(target=self._repeat, args=[self.server.stderr], daemon=True).start()
        return {
            "url": told["MCP"],
            "tokens": {"alice": told["the agent's bearer token"]},
            "accounts": {"alice": {"account": "alice", "password": password}},
        }

    reset = start

    def observe(self, request: dict) -> dict:
        return {"effects": self.files.writes(request["arguments"]["name"], request["arguments"]["content"])}

    def drift(self, request: dict) -> dict:
        if request["how"] == "moved":
            self.files.write(request["arguments"]["name"], f"somebody else was here: {secrets.token_hex(8)}")
        elif request["how"] != "restored":
            raise NotImplementedError(f"no `{request['how']}` here")
        return {}

    def stop(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None
        if self.home is not None:
            shutil.rmtree(self.home)
            self.home = None

    @staticmethod
    def _repeat(lines) -> None:
        for line in lines:
            sys.stderr.write(line)


def main() -> None:
    driver = Driver()
    operations = {"start": driver.start, "reset": driver.reset, "observe": driver.observe, "drift": driver.drift}
    try:
        for line in sys.stdin:
            request = json.loads(line)
            answer: dict = {"id": request["id"]}
            try:
                operation = operations.get(request["op"])
                answer |= {"unsupported": "it can't do that"} if operation is None else {"ok": operation(request)}
            except NotImplementedError as error:
                answer["unsupported"] = str(error)
            except Exception as error:  # noqa: BLE001  The harness tells of it.
                answer["error"] = f"{type(error).__name__}: {error}"
            print(json.dumps(answer), flush=True)
    finally:
        driver.stop()


if __name__ == "__main__":
    main()
