"""Version 1 of the API, as Airflow 2.10.5 answers it."""
