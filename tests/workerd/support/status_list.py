"""A resource server in Python: checks access tokens offline with PyJWT, then what the status list says of them.

Reads {"issuer", "audience", "tokens": {name: token}} and writes {name: status}."""

import base64
import json
import sys
import urllib.request
import zlib

import jwt

ALGORITHMS = ["ES256"]


def verified(token, keys, typ, **options):
    header = jwt.get_unverified_header(token)
    if header.get("typ", "").lower() != typ:
        raise jwt.InvalidTokenError(f"typ is {header.get('typ')}")
    key = keys.get_signing_key_from_jwt(token)
    required = {"require": ["exp", "iat", "iss", "sub"]}
    return jwt.decode(token, key, algorithms=ALGORITHMS, options=required, **options)


def status(reference, keys, issuer):
    with urllib.request.urlopen(reference["uri"]) as response:
        if response.headers["Content-Type"] != "application/statuslist+jwt":
            raise ValueError(response.headers["Content-Type"])
        token = response.read().decode("ascii")
    claims = verified(token, keys, "statuslist+jwt", issuer=issuer, subject=reference["uri"])
    entries = claims["status_list"]
    packed = entries["lst"]
    octets = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    bits, index = entries["bits"], reference["idx"]
    per_octet = 8 // bits
    return octets[index // per_octet] >> (index % per_octet * bits) & (1 << bits) - 1


def main():
    asked = json.load(sys.stdin)
    keys = jwt.PyJWKClient(f"{asked['issuer']}/.well-known/jwks.json")
    found = {}
    for name, token in asked["tokens"].items():
        try:
            claims = verified(token, keys, "at+jwt", issuer=asked["issuer"], audience=asked["audience"])
            found[name] = status(claims["status"]["status_list"], keys, asked["issuer"])
        except jwt.PyJWTError as error:
            found[name] = type(error).__name__
    json.dump(found, sys.stdout)


main()
