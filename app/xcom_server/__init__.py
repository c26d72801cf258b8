"""An emulator of Airflow's REST API for XCom entries, DAG runs, task instances and DAGs."""

__version__ = "0.1.0"
