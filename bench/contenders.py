"""The labels of the contenders."""

from bench import in_process

THIS = in_process.UNCHECKED
CHECKED = in_process.THIS
BARE = in_process.BARE
MARSHMALLOW = in_process.MARSHMALLOW
FLOOR = in_process.FLOOR

BASIC = "this, Basic"
BEARER = "this, Bearer"
AIRFLOW2 = "Airflow 2.10.5"
AIRFLOW3 = "Airflow 3.3.2"
