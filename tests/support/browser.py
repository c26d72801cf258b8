"""Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, sync_playwright

AXE = Path(".venvs", "axe", "node_modules", "axe-core", "axe.min.js")
_OPTIONS = (
    "--no-sandbox",  # which Chromium does not support for root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def require_chromium() -> str:
    """Return the path of the system's Chromium; skip the test if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    return path or pytest.skip("Chromium is not installed (Debian: chromium)")


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Run the system's Chromium without a window and with an empty profile."""
    path = require_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*_OPTIONS, *options], headless=True
        )
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """What a browser reports about the pages of a context: errors, and requests to other servers.

    A violation of the Content-Security-Policy is an error on the console.
    """

    def __init__(self, context: BrowserContext, *own: str) -> None:
        self._own = own
        self.errors: list[str] = []
        context.on("console", lambda message: self._note(message.type, message.text))
        context.on("weberror", lambda error: self._note("error", str(error.error)))
        context.on("dialog", self._dismiss)
        context.on("request", self._check)

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.errors.append(text)

    def _dismiss(self, dialog: Dialog) -> None:
        self.errors.append(f"the dialog {dialog.message}")
        dialog.dismiss()

    def _check(self, request: Request) -> None:
        if not request.url.startswith(self._own):
            self.errors.append(f"a request to {request.url}")


def violations(page: Page, script: str, *, only: str = "") -> list[str]:
    """Return what axe-core reports about a page; `only` is the id of a single rule."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(script)
    options = {"runOnly": {"type": "rule", "values": [only]}} if only else {}
    found: dict[str, Any] = page.evaluate("options => axe.run(options)", options)
    return [
        f"{page.url}: {each['id']}: {node['html']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
