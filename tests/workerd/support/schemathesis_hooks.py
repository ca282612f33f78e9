"""What schemathesis has to know of Postern: how bodies that are one token are written."""

import schemathesis


@schemathesis.serializer("application/secevent+jwt", "application/logout+jwt")
def token(ctx, value):
    """The text itself; what is no text goes as it would be printed."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", errors="surrogatepass")
