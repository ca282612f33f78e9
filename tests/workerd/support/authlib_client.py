"""authlib with requests as the client of a person: discovery, code with PKCE, ID token, userinfo, refresh, introspection, revocation.

Reads {"issuer", "client", "redirect_uri", "method"} as a line of JSON, asks for the person with {"ask": url} and reads the address that they
came back to, and says in the end what it found."""

import json
import os
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # loopback

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken, UserInfo
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey


def say(message):
    print(json.dumps(message), flush=True)


def claims_of(token, keys, server, client_id, nonce):
    """The claims of an ID token that holds."""
    decoded = jwt.decode(token["id_token"], keys, algorithms=server["id_token_signing_alg_values_supported"])
    options = {"iss": {"value": server["issuer"]}, "aud": {"value": client_id}}
    params = {"nonce": nonce, "client_id": client_id, "access_token": token["access_token"]}
    claims = CodeIDToken(decoded.claims, decoded.header, options, params)
    claims.validate(leeway=60)
    return decoded.header, claims


def main():
    asked = json.loads(sys.stdin.readline())
    server = requests.get(f"{asked['issuer']}/.well-known/openid-configuration").json()
    method, secret, more = asked["method"], None, {}
    if method == "private_key_jwt":
        secret = RSAKey.generate_key(2048, {"alg": "RS256", "use": "sig"}, auto_kid=True)
        more = {"jwks": {"keys": [secret.as_dict(private=False)]}}
    metadata = {**asked["client"], "token_endpoint_auth_method": method, **more}
    registered = requests.post(server["registration_endpoint"], json=metadata)
    registered.raise_for_status()
    client = registered.json()
    session = OAuth2Session(
        client["client_id"],
        secret or client.get("client_secret"),
        scope="openid email api.read",
        redirect_uri=asked["redirect_uri"],
        code_challenge_method="S256",
        token_endpoint=server["token_endpoint"],
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    if method == "private_key_jwt":
        session.register_client_auth_method(PrivateKeyJWT(server["token_endpoint"], alg="RS256"))
    nonce, verifier = generate_token(), generate_token(48)
    url, state = session.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    say({"ask": url})
    back = json.loads(sys.stdin.readline())
    token = dict(session.fetch_token(server["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier))
    keys = KeySet.import_key_set(requests.get(server["jwks_uri"]).json())
    header, claims = claims_of(token, keys, server, client["client_id"], nonce)
    info = session.get(server["userinfo_endpoint"])
    info.raise_for_status()
    person = UserInfo(info.json())
    calls = [session.get(f"{asked['issuer']}/api/v1/auth/me").status_code]
    fresh = dict(session.refresh_token(server["token_endpoint"]))
    calls.append(session.get(f"{asked['issuer']}/api/v1/auth/me").status_code)
    known = None
    if method != "none":
        known = session.introspect_token(server["introspection_endpoint"], token=fresh["access_token"]).json()
    ended = session.revoke_token(server["revocation_endpoint"], token=fresh["refresh_token"], token_type_hint="refresh_token")
    try:
        session.refresh_token(server["token_endpoint"], refresh_token=fresh["refresh_token"])
        after = None
    except Exception as error:
        after = getattr(error, "error", repr(error))
    say({
        "client_id": client["client_id"],
        "alg": header["alg"],
        "claims": dict(claims),
        "nonce": nonce,
        "person": dict(person),
        "token": token,
        "fresh": fresh,
        "calls": calls,
        "known": known,
        "ended": ended.status_code,
        "after": after,
    })


main()
