"""Airflow's serialized values: decoding, classes and reserved keys."""
