"""What becomes of a task, by its trigger rule and the ends of the tasks before it."""

import pytest
from xcom_server.scripts.trigger_rules import resulting_state

STATES = {"s": "success", "f": "failed", "u": "upstream_failed", "k": "skipped"}
RUNS, SKIPPED, FAILED = "success", "skipped", "upstream_failed"

TABLE = {
    # The end states of the tasks before: s, f, u, k, s and f, s and k, f and k.
    "all_success": [RUNS, FAILED, FAILED, SKIPPED, FAILED, SKIPPED, FAILED],
    "all_failed": [SKIPPED, RUNS, RUNS, SKIPPED, SKIPPED, SKIPPED, SKIPPED],
    "all_done": [RUNS] * 7,
    "always": [RUNS] * 7,
    "all_skipped": [SKIPPED, SKIPPED, SKIPPED, RUNS, SKIPPED, SKIPPED, SKIPPED],
    "one_success": [RUNS, FAILED, FAILED, SKIPPED, RUNS, RUNS, FAILED],
    "one_failed": [SKIPPED, RUNS, RUNS, SKIPPED, RUNS, SKIPPED, RUNS],
    "one_done": [RUNS, RUNS, SKIPPED, SKIPPED, RUNS, RUNS, RUNS],
    "none_failed": [RUNS, FAILED, FAILED, RUNS, FAILED, RUNS, FAILED],
    "none_failed_min_one_success": [RUNS, FAILED, FAILED, SKIPPED, FAILED, RUNS, FAILED],
    "none_skipped": [RUNS, RUNS, RUNS, SKIPPED, RUNS, SKIPPED, SKIPPED],
    "all_done_min_one_success": [RUNS, SKIPPED, SKIPPED, SKIPPED, RUNS, RUNS, SKIPPED],
}


@pytest.mark.parametrize("rule", TABLE)
def test_trigger_rule(rule: str) -> None:
    ends = [{STATES[letter] for letter in each} for each in ("s", "f", "u", "k", "sf", "sk", "fk")]

    assert [resulting_state(rule, each) for each in ends] == TABLE[rule]
    assert resulting_state(rule, set()) == RUNS
