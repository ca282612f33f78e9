"""What schemathesis has to know of Postern, so that its requests do not all end at the door.

POSTERN_KEPT is what must not end, since every request is made with it: an agent, and its credential. POSTERN_SPARE is an agent that may end
in its place."""

import os

import schemathesis

KEPT = set(os.environ["POSTERN_KEPT"].split())
SPARE = os.environ["POSTERN_SPARE"]
# So many requests of this many are changed to be good for something.
MOST = 9
OF = 10

sent = 0


@schemathesis.serializer("application/secevent+jwt", "application/logout+jwt")
def token(ctx, value):
    """The text itself; what is no text goes as it would be printed."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", errors="surrogatepass")


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Two credentials that differ, proofs that are none and an Idempotency-Key that came before are refused before anything else is looked at."""
    global sent
    sent += 1
    headers = case.headers or {}
    if sent % OF < MOST:
        headers.pop("X-Agent-Key", None)
        headers.pop("DPoP", None)
        if 16 <= len(str(headers.get("Idempotency-Key", ""))) <= 255:
            headers["Idempotency-Key"] = f"schemathesis-{sent:020}"
    # Parameters without a value are absent (RFC 6749, section 3.1), here as everywhere.
    for name in [name for name, value in (case.query or {}).items() if value == ""]:
        del case.query[name]
    path, body = case.operation.path, case.body
    if case.method.upper() != "GET":
        # What was answered is used for further requests: also to end things.
        for values in (case.path_parameters, body):
            if isinstance(values, dict):
                for name, value in values.items():
                    if isinstance(value, str) and value in KEPT:
                        values[name] = SPARE
        # A policy that denies everything leaves nothing to be tried.
        if path.startswith("/api/v1/policies") and isinstance(body, dict) and body.get("enabled", True) is True:
            body["enabled"] = False
