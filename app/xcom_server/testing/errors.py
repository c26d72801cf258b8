"""The errors of a server in tests."""


class XcomServerError(Exception):
    """The base class of these errors."""


class StartError(XcomServerError):
    """The server did not start; the message contains its log."""


class ServerDown(XcomServerError):
    """The server does not respond; the message contains the end of its log."""


class ControlError(XcomServerError):
    """The control plane refused a request; the message contains the reason."""

    def __init__(self, request: str, status: int, detail: str) -> None:
        super().__init__(f"{request} is a {status}: {detail}")
        self.status = status
        self.detail = detail
