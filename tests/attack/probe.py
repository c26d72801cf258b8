"""How fast an attacked server responds to /live meanwhile."""

import threading
import time
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

PAUSE_SECONDS = 0.1
GIVE_UP_SECONDS = 60


class LiveProbe:
    """Requests /live again and again, each time on a new connection."""

    def __init__(self, url: str) -> None:
        self.slowest = 0.0
        self.answers = 0
        self.failures: list[str] = []
        self._url = f"{url}/live"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            start = time.monotonic()
            try:
                with urlopen(self._url, timeout=GIVE_UP_SECONDS) as answer:
                    answer.read()
                self.answers += 1
            except (URLError, OSError) as error:
                self.failures.append(str(error))
            self.slowest = max(self.slowest, time.monotonic() - start)
