"""Packaging: what setup.cfg cannot say is where the OpenAPI documents travel in the wheel."""

from setuptools import setup

setup()
