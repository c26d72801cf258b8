"""Headers that limit what browsers do with responses."""

import base64
import hashlib

from flask import Response


def protect(response: Response, *sources: str, submits_forms: bool = False) -> Response:
    """Set the headers of a page or a document that browsers show, and return the response.

    No other page can show it in a frame, and it can load only from `sources`, which are directives
    of a Content-Security-Policy such as `img-src 'self'`. With `submits_forms`, it can submit forms
    to this server.
    """
    target = "'self'" if submits_forms else "'none'"
    policy = ("default-src 'none'", *sources, "base-uri 'none'", f"form-action {target}")
    response.headers["Content-Security-Policy"] = "; ".join((*policy, "frame-ancestors 'none'"))
    response.headers["X-Frame-Options"] = "DENY"
    # With `no-referrer`, browsers send `Origin: null` with a form, which hosts.py refuses.
    response.headers["Referrer-Policy"] = "same-origin" if submits_forms else "no-referrer"
    return response


def hash_of(text: str) -> str:
    """Return the source that allows the content of one `style` or `script` element."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def forbid_sniffing(response: Response) -> Response:
    """Forbid browsers to treat a response as another media type, and return the response."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
