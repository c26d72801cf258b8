"""An emulator of the XCom part of Airflow's stable REST API."""

__version__ = "0.1.0"
