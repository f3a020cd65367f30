# SPDX-License-Identifier: Apache-2.0
"""A real Chromium without a window, driven by its DevTools protocol over a pipe.

It runs in a network namespace that has nothing but a loopback, so that nothing else is reached,
whatever a page asks for; what listens elsewhere is forwarded there. (Where interfaces come and go
beside it, Chromium gives up on what it was loading: ERR_NETWORK_CHANGED.)
"""
import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--lang=en-US",
]


# Passes connections on: from and to are ports of the loopback, or paths of sockets.
FORWARD = """
import os, socket, sys, threading
def make(at):
    if at.isdigit():
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return s, ("127.0.0.1", int(at))
    return socket.socket(socket.AF_UNIX), at
def pump(a, b):
    try:
        while True:
            some = a.recv(65536)
            if not some:
                break
            b.sendall(some)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
def serve(client):
    s, at = make(sys.argv[2])
    try:
        s.connect(at)
    except OSError:
        client.close()
        return
    threading.Thread(target=pump, args=(client, s), daemon=True).start()
    pump(s, client)
listener, at = make(sys.argv[1])
listener.bind(at)
listener.listen(64)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def forward(namespace, port, to_namespace, to_port, path):
    """A port of one namespace's loopback that is another's: two processes that meet at a path."""
    return [subprocess.Popen(["ip", "netns", "exec", name, "/usr/bin/python3", "-c", FORWARD, at, to])
            for name, at, to in ((to_namespace, path, str(to_port)), (namespace, str(port), path))]


def program():
    return shutil.which("chromium")


class Browser:
    """One page. `errors` are what it complained about, `requests` the addresses it asked for."""

    def __init__(self, namespace, width=1440, height=900):
        # A folder of its own below /tmp: Chromium's profile.
        self.folder = tempfile.mkdtemp(prefix="millrace-chromium-")
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def wire():
            # Numbers above 4 first, so that neither takes the other's place.
            os.dup2(theirs_in, 13)
            os.dup2(theirs_out, 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, program(), *OPTIONS, "--user-data-dir=" + self.folder,
             "--window-size=%d,%d" % (width, height), "about:blank"],
            preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.out = os.fdopen(ours_out, "wb", 0)
        self.into = os.fdopen(ours_in, "rb", 0)
        self.number = 0
        self.answers = {}
        self.errors = []
        self.requests = []
        self.session = None
        threading.Thread(target=self._read, daemon=True).start()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.call(domain + ".enable")
        self.size(width, height)

    def _read(self):
        buffer = b""
        while True:
            try:
                some = self.into.read(65536)
            except (OSError, ValueError):
                return
            if not some:
                return
            buffer += some
            while b"\0" in buffer:
                message, buffer = buffer.split(b"\0", 1)
                self._take(json.loads(message))

    def _take(self, message):
        if "id" in message:
            self.answers[message["id"]].put(message)
            return
        params = message.get("params", {})
        if message["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif message["method"] == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details["text"] + " " + details.get("exception", {}).get("description", ""))
        elif message["method"] == "Log.entryAdded":
            self.errors.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
        elif message["method"] == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def call(self, method, **params):
        self.number += 1
        number = self.number
        self.answers[number] = queue.Queue()
        message = {"id": number, "method": method, "params": params}
        if self.session and not method.startswith("Browser."):
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        answer = self.answers[number].get(timeout=60)
        del self.answers[number]
        if "error" in answer:
            raise RuntimeError("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def run(self, script):
        """The value of an expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description")
                               or answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def until(self, script, seconds=10):
        """Waits for an expression to be true, and says what it was."""
        end = time.monotonic() + seconds
        while True:
            value = self.run("Boolean(%s)" % script)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError("never true: %s\npage says: %s\nerrors: %s" % (
                    script, self.run("document.body.innerText")[:1500], self.errors))
            time.sleep(0.1)

    def go(self, address):
        self.call("Page.navigate", url=address)

    def view(self, name):
        self.run("location.hash = '#/%s'" % name)
        self.until("window.millrace && millrace.page.name === '%s'" % name.split("/")[0])

    def size(self, width, height, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=False)

    def prefer(self, **features):
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def key(self, key, modifiers=0):
        """A key, as a person presses it: "Tab", "Enter", "g", "?"."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                 "ArrowDown": 40, "Backspace": 8}
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        down = {"type": "keyDown" if text and not modifiers else "rawKeyDown", "key": key, "modifiers": modifiers,
                "windowsVirtualKeyCode": codes.get(key, ord(key.upper()[0]))}
        if text and not modifiers:
            down["text"] = text
        self.call("Input.dispatchKeyEvent", **down)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers,
                  windowsVirtualKeyCode=down["windowsVirtualKeyCode"])

    def type(self, text):
        self.call("Input.insertText", text=text)

    def click(self, selector):
        at = self.run("(() => { const e = document.querySelector(%s); e.scrollIntoView({block: 'nearest'});"
                      "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
                      % json.dumps(selector))
        self.click_at(*at)

    def click_at(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path):
        shot = self.call("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def nameless(self):
        """Controls that a screen reader has no name for."""
        roles = {"button", "link", "textbox", "searchbox", "checkbox", "combobox", "row", "application", "dialog",
                 "img", "image", "table", "navigation", "complementary"}
        found = []
        for node in self.call("Accessibility.getFullAXTree")["nodes"]:
            role = node.get("role", {}).get("value")
            if not node.get("ignored") and role in roles and role not in ("row",) \
                    and not node.get("name", {}).get("value"):
                found.append((role, node.get("backendDOMNodeId")))
        return found

    def close(self):
        try:
            self.call("Browser.close")
        except Exception:  # pylint: disable=broad-except
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.out.close()
        shutil.rmtree(self.folder, ignore_errors=True)
