#!/usr/bin/env python3
"""Writes features.json anew: a good key, and one odd key or pair of keys for each feature.

Run it only to add a feature: every key and token in the file changes. It needs the packages of
requirements.txt: `tests/verifiers/run --cache DIR` first, then
`DIR/python-requirements.txt/bin/python tests/verifiers/python/features.py`.

The private keys are thrown away, except that of the feature "private", which is a test key.
"""

import base64
import datetime
import json
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec, ed448, ed25519, mldsa, padding, rsa, utils, x448, x25519)

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {
    "ES256": ("P-256", ec.SECP256R1()),
    "ES384": ("P-384", ec.SECP384R1()),
    "ES512": ("P-521", ec.SECP521R1()),
    "ES256K": ("secp256k1", ec.SECP256K1()),
}


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def integer(number, length=None):
    return base64url(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))


def raw(public):
    return base64url(public.public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw))


def material(private):
    """Returns the members of the public key."""
    public = private.public_key()
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": integer(numbers.n), "e": integer(numbers.e)}
    if isinstance(private, ec.EllipticCurvePrivateKey):
        numbers, length = public.public_numbers(), (private.key_size + 7) // 8
        crv = next(crv for crv, curve in CURVES.values() if curve.name == private.curve.name)
        return {"kty": "EC", "crv": crv,
                "x": integer(numbers.x, length), "y": integer(numbers.y, length)}
    for kind, crv in ((ed25519.Ed25519PrivateKey, "Ed25519"), (ed448.Ed448PrivateKey, "Ed448"),
                      (x25519.X25519PrivateKey, "X25519"), (x448.X448PrivateKey, "X448")):
        if isinstance(private, kind):
            return {"kty": "OKP", "crv": crv, "x": raw(public)}
    return {"kty": "AKP", "pub": raw(public)}


def sign(private, alg, octets):
    if isinstance(private, rsa.RSAPrivateKey):
        digest = HASHES[alg[2:5]]
        pad = padding.PKCS1v15()
        if alg.startswith("PS"):
            pad = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return private.sign(octets, pad, digest)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        der = private.sign(octets, ec.ECDSA(HASHES[alg[2:5]]))
        length = (private.key_size + 7) // 8
        return b"".join(part.to_bytes(length, "big") for part in utils.decode_dss_signature(der))
    return private.sign(octets)


def token(private, alg, kid):
    """Returns a token that is valid until 2100."""
    header = {"alg": alg, "typ": "JWT"} | ({"kid": kid} if kid else {})
    claims = {"iss": "https://issuer.example", "aud": "client", "sub": "someone",
              "iat": 1767225600, "exp": 4102444800}
    parts = [base64url(json.dumps(part).encode()) for part in (header, claims)]
    signed = ".".join(parts)
    return signed + "." + base64url(sign(private, alg, signed.encode()))


def make_rsa(bits=2048):
    return rsa.generate_private_key(65537, bits)


def make(alg):
    if alg[:2] in ("RS", "PS"):
        return ODD_RSA
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg][1])
    return {
        "EdDSA": ed25519.Ed25519PrivateKey, "Ed25519": ed25519.Ed25519PrivateKey,
        "Ed448": ed448.Ed448PrivateKey, "ML-DSA-44": mldsa.MLDSA44PrivateKey,
        "ML-DSA-65": mldsa.MLDSA65PrivateKey, "ML-DSA-87": mldsa.MLDSA87PrivateKey,
    }[alg].generate()


def certificate(private):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "odd")])
    day = datetime.datetime(2026, 1, 1)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(private.public_key()).serial_number(1)
            .not_valid_before(day).not_valid_after(day.replace(year=2100))
            .sign(private, hashes.SHA256()))
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


ODD_RSA = make_rsa()
FEATURES = []


def feature(name, keys, tokens=()):
    FEATURES.append({"name": name, "keys": keys, "tokens": list(tokens)})


def signing(name, private, alg, without=(), kid="odd", **members):
    """Adds a feature with one key that signs."""
    key = {"kid": kid, "use": "sig", "alg": alg} | material(private) | members
    key = {name: value for name, value in key.items() if name not in without}
    feature(name, [key], [token(private, alg, key.get("kid"))])


def main():
    good = make_rsa()
    # What the purpose of a key can be: each algorithm that signs, and keys that encrypt.
    for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
                "ES256K", "EdDSA"):
        signing(alg, make(alg), alg)
    signing("EdDSA-Ed448", ed448.Ed448PrivateKey.generate(), "EdDSA")
    for alg in ("Ed25519", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"):
        signing(alg, make(alg), alg)
    encryption = {"kid": "odd", "use": "enc"}
    feature("enc-rsa", [encryption | material(ODD_RSA) | {"alg": "RSA-OAEP-256"}])
    feature("enc-ec", [encryption | material(make("ES256")) | {"alg": "ECDH-ES"}])
    for name, kind in (("enc-x25519", x25519.X25519PrivateKey), ("enc-x448", x448.X448PrivateKey)):
        feature(name, [encryption | material(kind.generate()) | {"alg": "ECDH-ES"}])
    # What no verifier can know.
    unknown = {"kid": "odd", "use": "sig"}
    feature("kty-unknown", [unknown | {"kty": "XYZ", "alg": "XYZ1", "pub": "AAAA"}])
    feature("ec-crv-unknown", [unknown | material(make("ES256")) | {"crv": "P-999"}])
    feature("okp-crv-unknown", [unknown | material(make("EdDSA")) | {"crv": "Ed999"}])
    feature("alg-unknown", [unknown | material(ODD_RSA) | {"alg": "XX256"}])
    signing("use-unknown", ODD_RSA, "RS256", use="attest")
    signing("key-ops-unknown", ODD_RSA, "RS256", without=("use",), key_ops=["verify", "attest"])
    # What a key lacks or has besides.
    signing("alg-missing-rsa", ODD_RSA, "RS256", without=("alg",))
    signing("alg-missing-ec", make("ES256"), "ES256", without=("alg",))
    signing("alg-missing-okp", make("EdDSA"), "EdDSA", without=("alg",))
    signing("kid-missing", ODD_RSA, "RS256", without=("kid",))
    signing("use-missing", ODD_RSA, "RS256", without=("use",))
    signing("use-and-key-ops", ODD_RSA, "RS256", key_ops=["verify"])
    signing("key-ops-only", ODD_RSA, "RS256", without=("use",), key_ops=["verify"])
    signing("dates", ODD_RSA, "RS256", iat=1767225600, nbf=1767225600, exp=4102444800)
    signing("member-unknown", ODD_RSA, "RS256", note={"of": ["the", 1]})
    signing("x5c", ODD_RSA, "RS256", x5c=[certificate(ODD_RSA)])
    # Two keys with one kid.
    twins = [(ODD_RSA, "RS256"), (make_rsa(), "RS256")]
    for name, twins in (("kid-duplicate", twins), ("kid-shared", [twins[0], (make("ES256"), "ES256")])):
        keys = [{"kid": "odd", "use": "sig", "alg": alg} | material(key) for key, alg in twins]
        feature(name, keys, [token(key, alg, "odd") for key, alg in twins])
    # What should not be published, or is broken.
    feature("oct", [unknown | {"kty": "oct", "alg": "HS256", "k": base64url(bytes(range(32)))}])
    short = make_rsa(1024)
    signing("rsa-1024", short, "RS256")
    numbers = ODD_RSA.private_numbers()
    signing("private", ODD_RSA, "RS256", d=integer(numbers.d), p=integer(numbers.p),
            q=integer(numbers.q), dp=integer(numbers.dmp1), dq=integer(numbers.dmq1),
            qi=integer(numbers.iqmp))
    signing("base64-padding", ODD_RSA, "RS256", n=material(ODD_RSA)["n"] + "==")
    feature("n-missing", [unknown | {"kty": "RSA", "alg": "RS256", "e": "AQAB"}])
    feature("kid-number", [unknown | material(ODD_RSA) | {"alg": "RS256", "kid": 7}])
    signing("x5c-broken", ODD_RSA, "RS256", x5c=["bm90IGEgY2VydGlmaWNhdGU="])
    control = {"kid": "good", "use": "sig", "alg": "RS256"} | material(good)
    lines = [json.dumps(feature) for feature in FEATURES]
    path = pathlib.Path(__file__).parent.parent / "features.json"
    path.write_text('{\n"good": %s,\n"token": "%s",\n"features": [\n%s\n]\n}\n' % (
        json.dumps(control), token(good, "RS256", "good"), ",\n".join(lines)))


main()
