"""Airflow's serialized values: decoding, the supported classes, and the reserved keys."""
