"""Users for `XCOM_AUTH=any`: every valid name is that of an admin, with any password."""

from collections.abc import Iterator, Mapping

from xcom_server.auth.users import (
    InvalidUsersFile,
    Role,
    User,
    Users,
    validate_username,
)


class AnyUsers:
    """A source that has a user for each valid name."""

    is_plain = True

    def users(self) -> Users:
        """Return the users by name; they cannot be listed."""
        return _EVERY_NAME


class _EveryName(Mapping[str, User]):
    def __getitem__(self, name: str) -> User:
        try:
            validate_username(name)
        except InvalidUsersFile:
            raise KeyError(name) from None
        return User(name, Role.ADMIN)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_EVERY_NAME = _EveryName()
