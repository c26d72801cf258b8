"""All rules of the journal, by theme; docs/rules.md explains each of them."""

from xcom_server.emulator.rules import (
    bodies,
    credentials,
    fallbacks,
    pages,
    parameters,
    paths,
    polling,
    values,
    versions,
)

RULES = (
    *credentials.RULES,
    *versions.RULES,
    *parameters.RULES,
    *pages.RULES,
    *paths.RULES,
    *bodies.RULES,
    *values.RULES,
    *polling.RULES,
    *fallbacks.RULES,
)
