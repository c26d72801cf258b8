"""Version 1 of the API, which emulates Airflow 2.10.5."""

AIRFLOW_VERSION = "2.10.5"
AIRFLOW_GIT_VERSION = ".release:b93c3db6b1641b0840bd15ac7d05bc58ff2cccbf"
