"""Version 2 of the API, as Airflow 3.3.2 answers it."""
