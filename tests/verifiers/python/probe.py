"""Verifies the tokens of each case with the Python libraries, as their documentation says."""

import importlib.metadata
import json
import sys
import warnings

# authlib announces that joserfc replaces it.
warnings.showwarning = lambda *_, **__: None

import jwt as pyjwt  # noqa: E402
from authlib.jose import JsonWebKey, JsonWebToken  # noqa: E402
from joserfc import jwt as joserfc_jwt  # noqa: E402
from joserfc.jwk import KeySet  # noqa: E402
from jwcrypto import jwk, jwt as jwcrypto_jwt  # noqa: E402


def authlib(case, token, alg):
    JsonWebToken([alg]).decode(token, JsonWebKey.import_key_set(json.loads(case["set"])))


def joserfc(case, token, alg):
    joserfc_jwt.decode(token, KeySet.import_key_set(json.loads(case["set"])), algorithms=[alg])


def jwcrypto(case, token, alg):
    jwcrypto_jwt.JWT(jwt=token, key=jwk.JWKSet.from_json(case["set"]), algs=[alg])


def pyjwt_client(case, token, alg):
    key = pyjwt.PyJWKClient(case["url"]).get_signing_key_from_jwt(token)
    pyjwt.decode(token, key, algorithms=[alg], audience="client")


def jose(case, token, alg):
    from jose import jwt as python_jose
    python_jose.decode(token, json.loads(case["set"]), algorithms=[alg], audience="client")


VERIFIERS = [
    ("authlib", "Authlib", authlib),
    ("joserfc", "joserfc", joserfc),
    ("jwcrypto", "jwcrypto", jwcrypto),
    ("pyjwt", "PyJWT", pyjwt_client),
    ("python-jose", "python-jose", jose),
]


def error_of(verify, case, token):
    """Returns the error of a verification, or None."""
    try:
        verify(case, token, pyjwt.get_unverified_header(token)["alg"])
    except Exception as error:  # Each library has errors of its own, and some let others through.
        return f"{type(error).__name__}: {error}"[:200]
    return None


with open(sys.argv[1], encoding="utf-8") as file:
    CASES = json.load(file)
for name, package, verify in VERIFIERS:
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        continue  # older.txt does not have all of them.
    for case in CASES:
        errors = [error_of(verify, case, token) for token in case["tokens"]]
        print(json.dumps({"verifier": name, "version": version, "case": case["name"],
                          "errors": errors}))
