"""The verdicts on the requests in the journal, computed when the journal is read."""

from collections.abc import Sequence

from xcom_server.emulator.records import RequestRecord
from xcom_server.emulator.verdicts import Judgment, Verdict


def judge(
    requests: Sequence[tuple[int, RequestRecord]], *, airflow_versions: tuple[str, ...]
) -> dict[int, Judgment]:
    """Return the verdict on each request by its number.

    `requests` are in the order of their numbers.  `airflow_versions` are the releases that the
    server emulates, such as "2.10.5".
    """
    return {number: _judgment(record) for number, record in requests}


def _judgment(record: RequestRecord) -> Judgment:
    if record.status < 400:
        return Judgment(Verdict.CONFORMS, "")
    return Judgment(Verdict.REFUSED, f"The server responded with {record.status}.")
