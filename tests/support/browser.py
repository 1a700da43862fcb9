"""Open pages in headless Chromium, without a network, and collect what the console and axe-core say about them."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.support import REPOSITORY

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

AXE = REPOSITORY / "tests" / "page" / "vendor" / "axe.min.js"
Theme = Literal["light", "dark"]
DESKTOP, PHONE = (1280, 900), (390, 844)
"""Width and height in CSS pixels."""
WAIT = 15.0
"""Seconds to wait for the page at most; a busy machine is slow, and a right page is seldom near it."""
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # even a page that asked would reach nothing
)  # fmt: skip


class Browser:
    """One Chromium window. Its page comes from a file, and no request for another one is answered."""

    def __init__(self, driver: "Chrome") -> None:
        self.driver = driver
        self.resize(DESKTOP)

    def open(self, page: Path, fragment: str = "", *, theme: Theme = "light") -> None:
        """Load a file from the disk, with nothing stored from earlier pages, as a new visitor would see it."""
        self._messages()
        media = {
            "prefers-color-scheme": theme,
            "prefers-reduced-motion": "reduce",
        }  # what moves is hard to hit
        self.emulate(
            "Emulation.setEmulatedMedia", features=[{"name": name, "value": v} for name, v in media.items()]
        )
        self.emulate("Storage.clearDataForOrigin", origin="file://", storageTypes="local_storage")
        self.emulate("Page.setBypassCSP", enabled=False)  # `violations` lets axe in
        self.driver.get("about:blank")  # another fragment alone would not load the page again
        self.driver.get(page.as_uri() + fragment)

    def go(self, fragment: str) -> None:
        """Follow a link to another view of the page that is open."""
        self.run("location.hash = arguments[0];", fragment)

    def emulate(self, command: str, **values: Any) -> None:
        """Send a command of the DevTools protocol."""
        self.driver.execute_cdp_cmd(command, values)

    def resize(self, size: tuple[int, int]) -> None:
        """Give the page this width and height; a window cannot be as narrow as a phone."""
        width, height = size
        self.emulate(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a JavaScript function body returns in the page."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any, seconds: float = WAIT) -> Any:
        """Return the first true value of a JavaScript expression. Fails when there is none in time."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        try:
            return WebDriverWait(self.driver, seconds, 0.02).until(
                lambda _: self.run(f"return ({script});", *arguments)
            )
        except TimeoutException:
            pytest.fail(f"never true in {seconds:g} s: {script}\n{self.text()[:1500]}\n{self.errors()}")

    def all(self, selector: str) -> "list[WebElement]":
        """Return the elements that a CSS selector finds."""
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> "WebElement":
        """Return the first element that a CSS selector finds."""
        return self.driver.find_element("css selector", selector)

    def click(self, selector: str) -> None:
        """Bring the first element that a CSS selector finds into the middle of the window, and click on it."""
        element = self.one(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'});", element)
        element.click()

    def text(self) -> str:
        """Return the visible text of the page."""
        return str(self.run("return document.body ? document.body.innerText : '';"))

    def press(self, keys: str) -> None:
        """Press keys where the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(keys).perform()

    def errors(self) -> list[str]:
        """Return the console's errors and warnings of the security policy since the page was opened."""
        self.run(
            "return new Promise((done) => setTimeout(done, 30));"
        )  # a message comes after what causes it
        return [
            entry["message"]
            for entry in self._messages()
            if entry["level"] == "SEVERE" or "Content Security Policy" in entry["message"]
        ]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call; those of files, data and blobs are no network."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = message["params"]["request"]["url"]
                if not address.startswith(("file:", "data:", "blob:", "about:")):
                    found.append(address)
        return found

    def _messages(self) -> list[dict[str, Any]]:
        return list(self.driver.get_log("browser"))

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window; 0 when it cannot be scrolled sideways."""
        return int(self.run("const e = document.documentElement; return e.scrollWidth - e.clientWidth;"))

    def violations(self, within: str = "document") -> list[str]:
        """Return what axe-core finds serious or critical in the page as it stands, one line each."""
        if not self.run("return typeof axe === 'object';"):
            self.emulate("Page.setBypassCSP", enabled=True)
            self.emulate("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(
            f"const done = arguments[arguments.length - 1];"
            f"axe.run({within}, {{resultTypes: ['violations']}}).then(done, error => done({{failed: String(error)}}));"
        )
        assert "failed" not in found, found
        return [
            f"{rule['impact']} {rule['id']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:300]}"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    def screenshot(self, path: Path, *, whole: bool = False) -> Path:
        """Write what the window shows as a PNG, or the `whole` page, and return the path."""
        import base64

        values: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.run(
                "const e = document.documentElement; return [e.clientWidth, Math.min(e.scrollHeight, 6000)];"
            )
            values["clip"] = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", values)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(found["data"]))
        return path


@contextmanager
def started() -> Iterator[Browser]:
    """Start Chromium with an empty profile. Skips the test, and says how to install it, when the machine has none."""
    programs = [
        next(filter(None, map(shutil.which, names)), None)
        for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
    ]
    if None in programs:
        pytest.skip("the page is not tested: no Chromium here (apt-get install chromium chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver", reason="the page is not tested: no Selenium here")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    with tempfile.TemporaryDirectory(prefix="kds-browser-", ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(programs[1]))
        try:
            driver.set_script_timeout(60)
            yield Browser(driver)
        finally:
            driver.quit()
