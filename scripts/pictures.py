#!/usr/bin/env python3
"""Takes the README's pictures of the page, from real runs, in headless Chromium.

Usage: scripts/pictures.py DOWNHILL RUN [--fit RUN] [--out docs]

DOWNHILL is the program. Needs only Debian's packages chromium and chromium-driver.
"""
import argparse
import base64
import json
import pathlib
import re
import subprocess
import time
import urllib.request
import zlib

FLAGS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--use-angle=swiftshader", "--use-gl=angle", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


def smaller(png):
    """The same picture with maximum compression; browsers favor speed."""
    parts, data, at = [], b"", 8
    while at < len(png):
        length = int.from_bytes(png[at:at + 4], "big")
        kind, body = png[at + 4:at + 8], png[at + 8:at + 8 + length]
        at += 12 + length
        if kind == b"IDAT":
            data += body
        else:
            parts.append((kind, body))
    parts.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(data), 9)))
    chunk = lambda kind, body: len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    return png[:8] + b"".join(chunk(*part) for part in parts)


class Browser:
    """A browser driven by the WebDriver protocol."""

    def __init__(self, width=1400, height=900, language="en"):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                break
        self.base = f"http://127.0.0.1:{found.group(1)}/session"
        flags = FLAGS + [f"--window-size={width},{height}", f"--lang={language}"]
        options = {"args": flags, "binary": "/usr/bin/chromium"}
        wish = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}}
        self.base += "/" + self.ask("", wish)["sessionId"]

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def open(self, address):
        self.ask("/url", {"url": address})
        self.wait("return document.documentElement.dataset.ready === 'yes'")

    def run(self, script, *arguments):
        return self.ask("/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script, seconds=60):
        end = time.time() + seconds
        while not self.run(script):
            if time.time() > end:
                raise TimeoutError(script)
            time.sleep(0.1)

    def picture(self, path, selector=None):
        where = "/screenshot"
        if selector:
            found = self.ask("/element", {"using": "css selector", "value": selector})
            where = f"/element/{list(found.values())[0]}/screenshot"
        pathlib.Path(path).write_bytes(smaller(base64.b64decode(self.ask(where))))

    def log(self):
        return self.ask("/se/log", {"type": "browser"})

    def close(self):
        try:
            request = urllib.request.Request(self.base, method="DELETE")
            urllib.request.urlopen(request, timeout=20).close()
        finally:
            self.driver.terminate()


class Page:
    """A running `downhill watch`, or another command that shows a page."""

    def __init__(self, program, *runs, command="watch"):
        command = ["compare", *runs] if len(runs) > 1 else [command, *runs]
        self.process = subprocess.Popen([program, *command], stdout=subprocess.PIPE, text=True)
        self.address = re.search(r"http://\S+", self.process.stdout.readline()).group(0)

    def close(self):
        self.process.terminate()
        self.process.wait()


def playground(browser, page, path):
    """Three checkpoints write, and a token of the last one is looked at, at a lower temperature."""
    enter = """const [selector, value] = arguments, e = document.querySelector(selector);
               e.value = value; e.dispatchEvent(new Event('input'))"""
    click = "document.querySelector(arguments[0]).click()"
    browser.open(page.address)
    browser.run(enter, "#play-prompt", "One sunny day, ")
    browser.run(enter, "#play-length", "150")
    browser.run(click, "#play-spread")
    browser.run(click, "#play-go")
    browser.wait("return document.getElementById('play-stop').disabled")
    browser.run(click, ".column:last-child [data-at='0']")
    browser.run(enter, ".knob input", "0.6")
    browser.run(enter, ".knob:nth-child(3) input", "0.9")
    browser.wait("return document.querySelector('.choices .cut') !== null")
    # Only the panels that are full.
    browser.run("document.getElementById('surprise').hidden = true; document.activeElement.blur()")
    time.sleep(1)
    browser.picture(path, "main")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("run")
    parser.add_argument("--fit")
    parser.add_argument("--out", default="docs")
    a = parser.parse_args()
    out = pathlib.Path(a.out)
    out.mkdir(exist_ok=True)
    browser = Browser(1150, 1100)
    try:
        page = Page(a.program, a.run)
        browser.open(page.address)
        for panel, ready in [("loss", "#loss-chart .main-svg"), ("film", "#film-text"), ("lens", "#lens-top .share"), ("machine", "#machine-lines .main-svg")]:
            browser.run(f"document.getElementById('{panel}').scrollIntoView()")
            browser.wait(f"return document.querySelector('{ready}') !== null")
            time.sleep(2)
            browser.picture(out / f"{panel}.png", f"#{panel}")
        # Of a run that `downhill landscape` has drawn.
        if browser.run("return document.querySelector('#terrain input[type=range]') !== null"):
            browser.run("document.getElementById('terrain').scrollIntoView()")
            browser.wait("return document.querySelector('#terrain-3d canvas') !== null")
            browser.run("const s = document.querySelector('#terrain input[type=range]'); s.value = 12; s.dispatchEvent(new Event('input'))")
            time.sleep(3)
            browser.picture(out / "landscape.png", "#terrain")
        page.close()
        page = Page(a.program, a.run, command="play")
        playground(browser, page, out / "playground.png")
        page.close()
        if a.fit:
            page = Page(a.program, a.fit)
            browser.open(page.address)
            browser.run("document.getElementById('mountain').scrollIntoView()")
            browser.wait("return document.querySelector('#mountain-3d canvas') !== null")
            browser.run("const s = document.querySelector('#mountain input[type=range]'); s.value = 4; s.dispatchEvent(new Event('input'))")
            time.sleep(3)
            browser.picture(out / "mountain.png", "#mountain")
            page.close()
    finally:
        browser.close()


if __name__ == "__main__":
    main()
