"""A headless Chromium for tests, spoken to by the WebDriver protocol (W3C) with the standard library alone."""
import base64
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars"]


class Browser:
    """Use as a context manager: leaving it ends the browser and its driver."""

    def __init__(self, width=1280, height=1600, dark=False):
        self.width, self.height, self.dark = width, height, dark
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        self.session = ""

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.at = f"http://127.0.0.1:{port}"
        try:
            self._await_driver()
            options = {"args": [*FLAGS, f"--user-data-dir={self.profile}",
                                f"--window-size={self.width},{self.height}",
                                *(["--blink-settings=preferredColorScheme=0"] if self.dark else [])]}
            if self.width < 500:  # narrower than a window can be: as on a phone
                options["mobileEmulation"] = {
                    "deviceMetrics": {"width": self.width, "height": self.height, "pixelRatio": 1}}
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"}}}})
            self.session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self._call("DELETE", self.session)
        except OSError:
            pass
        self.driver.terminate()
        self.driver.wait(timeout=30)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _await_driver(self):
        give_up = time.monotonic() + 30
        while True:
            try:
                return self._call("GET", "/status")
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)  # the driver offers nothing to wait on before it listens

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            self.at + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as refused:
            raise RuntimeError(refused.read().decode()[:2000]) from refused

    def open(self, url):
        self._call("POST", self.session + "/url", {"url": url})

    def run(self, script, *arguments):
        """What the page's JavaScript returns."""
        return self._call("POST", self.session + "/execute/sync",
                          {"script": script, "args": list(arguments)})

    def await_true(self, expression, seconds=30):
        """Waits within the page, and returns the seconds it took. Fails with the page's text."""
        began = time.monotonic()
        self._call("POST", self.session + "/timeouts", {"script": int(seconds * 1000) + 5000})
        came = self._call("POST", self.session + "/execute/async", {"args": [], "script": f"""
            const done = arguments[arguments.length - 1];
            const giveUp = Date.now() + {int(seconds * 1000)};
            (function look() {{
              if ({expression}) return done(true);
              if (Date.now() > giveUp) return done(false);
              setTimeout(look, 20);
            }})();"""})
        if not came:
            raise AssertionError(f"never true: {expression}\n{self.run('return document.body.innerText')[:3000]}")
        return time.monotonic() - began

    def complaints(self):
        """Errors of the page since the last call."""
        return [entry for entry in self._call("POST", self.session + "/se/log", {"type": "browser"})
                if entry["level"] == "SEVERE"]

    def screenshot(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self._call("GET", self.session + "/screenshot")))
