"""Version 2 of the API, which emulates Airflow 3.3.2."""

AIRFLOW_VERSION = "3.3.2"
AIRFLOW_GIT_VERSION = ".release:aa19d2dbb9ed187ec01957a92848d9b005e9ba9d"
