"""An entry point for older packaging tools; the metadata is in setup.cfg."""

from setuptools import setup

setup()
