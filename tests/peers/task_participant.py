"""A scripted participant at the task's own page: a headless Chromium, driven through its debugging port; standard library
only. Clicks through what waits for a click, answers each probe some degrees beside the target that the plan on disk
names, and ends with the page.

usage: task_participant.py URL PLAN.csv [SECONDS]

Ends with 3 where there is no Chromium (chromium-headless-shell, chromium, or the program in TRAS_CHROMIUM).
"""

import base64
import csv
import json
import math
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

PHASES = "document.body ? document.body.dataset.phase || '' : ''"


class Window:
    """One page, by its debugging socket."""

    def __init__(self, address):
        host, _, path = address.removeprefix("ws://").partition("/")
        name, port = host.split(":")
        self.socket = socket.create_connection((name, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.socket.recv(4096)
        self.rest = self.rest.split(b"\r\n\r\n", 1)[1]
        self.asked = 0

    def take(self, count):
        while len(self.rest) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the browser is gone")
            self.rest += more
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def read(self):
        whole = b""
        while True:
            first, second = self.take(2)
            length = second & 0x7F
            if length == 126:
                length = struct.unpack(">H", self.take(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self.take(8))[0]
            whole += self.take(length)
            if first & 0x80:
                return whole

    def call(self, method, **params):
        self.asked += 1
        text = json.dumps({"id": self.asked, "method": method, "params": params}).encode()
        mask = os.urandom(4)
        head = bytes([0x81]) + (
            bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(text)))
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(text)))
        while True:
            answer = json.loads(self.read())
            if answer.get("id") == self.asked:
                return answer.get("result", {})

    def value(self, expression):
        return self.call("Runtime.evaluate", expression=expression).get("result", {}).get("value")

    def click(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def answer(self, deg):
        width, height = self.value("innerWidth"), self.value("innerHeight")
        radius = 0.4 * min(width, height)
        rad = math.radians(deg)
        self.click(width / 2 + radius * math.cos(rad), height / 2 - radius * math.sin(rad))


def browser(profile):
    for program in (os.environ.get("TRAS_CHROMIUM"), "chromium-headless-shell", "chromium", "google-chrome"):
        if program and shutil.which(program):
            child = subprocess.Popen(
                [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--remote-debugging-port=0", "--window-size=900,700", f"--user-data-dir={profile}", "about:blank"],
                stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True)
            for line in child.stderr:
                if "DevTools listening on ws://127.0.0.1:" in line:
                    return child, line.split("ws://127.0.0.1:")[1].split("/")[0]
    sys.exit(3)


def participate(window, plan, until_s):
    answered, last = 0, None
    while time.monotonic() < until_s:
        phase = window.value(PHASES)
        if phase == "ended":
            return answered
        if phase == "probe" and last != "probe" and answered < len(plan):
            time.sleep(random.uniform(0.3, 0.9))
            row = plan[answered]
            window.answer(float(row["target_deg"]) + float(row["wheel_deg"]) + random.gauss(0, 20))
            answered += 1
        elif phase not in ("", "probe", "fixation", "sample", "delay", "feedback", "wait", None) and last != phase:
            window.click(450, 350)
        elif phase not in ("probe", "fixation", "sample", "delay", "feedback"):
            # What waits for a click may have missed the first.
            time.sleep(0.3)
            last = None
            continue
        last = phase
        # Seldom: each look interrupts the page.
        time.sleep(0.1)
    return answered


def main(url, plan, seconds="600"):
    with open(plan, newline="") as file:
        rows = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        child, port = browser(profile)
        try:
            ask = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
            window = Window(json.load(urllib.request.urlopen(ask))["webSocketDebuggerUrl"])
            window.call("Page.enable")
            # A headless window has the focus only where it is said to.
            window.call("Emulation.setFocusEmulationEnabled", enabled=True)
            window.call("Page.navigate", url=url)
            answered = participate(window, rows, time.monotonic() + float(seconds))
            print(f"participant: {answered} probes answered")
        except EOFError as gone:
            print(f"participant: {gone}")
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
