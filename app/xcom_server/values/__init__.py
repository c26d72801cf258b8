"""Airflow's serialized values: how to decode them, their classes, and their reserved keys."""
