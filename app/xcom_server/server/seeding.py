"""Loads the seed files of the setting `seed` into an empty database, before any worker starts."""

import logging
from collections.abc import Sequence
from pathlib import Path

from xcom_server import seed_file
from xcom_server.errors import OperatorError, SeedConflict, Unavailable
from xcom_server.seed_file import InvalidSeedFile
from xcom_server.settings import Settings
from xcom_server.storage.opening import connected_store
from xcom_server.storage.store import SeedRow, XComStore

_log = logging.getLogger(__name__)


class CannotSeed(OperatorError):
    """The seed files cannot be loaded; the message has the reason."""


def load(settings: Settings) -> None:
    """Load the file, or the files of the folder, that the settings name in one transaction.

    A database that has a DAG, and so also one with a run or an entry, is left unchanged.  Raises
    InvalidSeedFile for a file that cannot be read or has an invalid row, and CannotSeed.
    """
    if not (found := files(settings.seed)):
        return
    with connected_store(settings.database_url, "write") as store:
        try:
            _load(store, settings.seed, found)
        except SeedConflict as error:
            raise CannotSeed(f"XCOM_SEED cannot be loaded: {error}") from None
        except Unavailable as error:
            raise CannotSeed(f"XCOM_SEED cannot be loaded: {error.reason}") from None


def files(seed: str) -> list[Path]:
    """Return the files that the setting `seed` names: those of a folder, or one that may exist."""
    path = Path(seed)
    return sorted(path.glob("*.json")) if path.is_dir() else [path]


def _load(store: XComStore, seed: str, found: Sequence[Path]) -> None:
    if next(store.export_dags(), None) is not None:
        _log.info("The database is not empty, so %s is not loaded.", seed)
        return
    if rows := [row for file in found for row in _read(file)]:
        store.load(rows)
        _log.info("Loaded %s: %s.", seed, seed_file.counted(rows))


def _read(path: Path) -> list[SeedRow]:
    try:
        return seed_file.read(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InvalidSeedFile(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidSeedFile(f"{path}: not UTF-8") from None
