"""The benchmark: this server compared with bare stacks and with Airflow."""
