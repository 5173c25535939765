//! Files that are made to take all time or all memory: each is refused within its bounds.

use crate::support::Sandbox;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How long a file may take. Tests run what the compiler has hardly optimised.
const SECONDS: f64 = if cfg!(debug_assertions) { 6.0 } else { 3.0 };

/// One element of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut element = vec![tag];
    let [.., high, middle, low] = length.to_be_bytes();
    match length {
        0..=0x7f => element.push(low),
        0x80..=0xff => element.extend([0x81, low]),
        0x100..=0xffff => element.extend([0x82, middle, low]),
        _ => element.extend([0x83, high, middle, low]),
    }
    element.extend(content);
    element
}

fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    der(0x30, &elements.concat())
}

fn integer(number: u64) -> Vec<u8> {
    let mut octets: Vec<u8> = number
        .to_be_bytes()
        .into_iter()
        .skip_while(|o| *o == 0)
        .collect();
    if octets.first().is_none_or(|first| *first > 0x7f) {
        octets.insert(0, 0);
    }
    der(2, &octets)
}

/// An object identifier by its octets in hexadecimal.
fn oid(hexadecimal: &str) -> Vec<u8> {
    let octet = |i: usize| u8::from_str_radix(&hexadecimal[i..i + 2], 16).expect("hexadecimal");
    let octets: Vec<u8> = (0..hexadecimal.len()).step_by(2).map(octet).collect();
    der(6, &octets)
}

fn octets(content: &[u8]) -> Vec<u8> {
    der(4, content)
}

/// PBES2 with AES-256-CBC over a derivation.
fn pbes2(derivation: Vec<u8>) -> Vec<u8> {
    let cipher = sequence(&[oid("60864801650304012a"), octets(&[7; 16])]);
    sequence(&[oid("2a864886f70d01050d"), sequence(&[derivation, cipher])])
}

fn pbkdf2(iterations: u64, hash: &str) -> Vec<u8> {
    let hash = sequence(&[oid(hash), der(5, &[])]);
    let parameters = sequence(&[octets(&[1; 8]), integer(iterations), hash]);
    pbes2(sequence(&[oid("2a864886f70d01050c"), parameters]))
}

fn scrypt(n: u64, r: u64, p: u64) -> Vec<u8> {
    let parameters = sequence(&[octets(&[1; 8]), integer(n), integer(r), integer(p)]);
    pbes2(sequence(&[oid("2b06010401da47040b"), parameters]))
}

/// Triple DES under a key of RFC 7292 appendix B.
fn triple_des(iterations: u64) -> Vec<u8> {
    let parameters = sequence(&[octets(&[1; 8]), integer(iterations)]);
    sequence(&[oid("2a864886f70d010c0103"), parameters])
}

fn encrypted_key(algorithm: Vec<u8>) -> Vec<u8> {
    sequence(&[algorithm, octets(&[9; 64])])
}

const SHA256: &str = "2a864886f70d0209";
const SHA512: &str = "2a864886f70d020b";

/// A keystore without a check of its integrity, and a key in it.
fn keystore(key: &[u8]) -> Vec<u8> {
    let data = |content: &[u8]| sequence(&[oid("2a864886f70d010701"), der(0xa0, &octets(content))]);
    let bag = sequence(&[oid("2a864886f70d010c0a0102"), der(0xa0, key)]);
    let bags = sequence(&[bag]);
    sequence(&[integer(3), data(&sequence(&[data(&bags)]))])
}

/// An OpenSSH private key whose passphrase takes so many rounds to try.
fn openssh(rounds: u32) -> String {
    let string = |content: &[u8]| [&(content.len() as u32).to_be_bytes(), content].concat();
    let public = [string(b"ssh-ed25519"), string(&[5; 32])].concat();
    let options = [string(&[1; 16]), rounds.to_be_bytes().to_vec()].concat();
    let parts = [
        b"openssh-key-v1\0".to_vec(),
        string(b"aes256-ctr"),
        string(b"bcrypt"),
        string(&options),
        1u32.to_be_bytes().to_vec(),
        string(&public),
        string(&[3; 160]),
    ];
    pem::encode(&pem::Pem::new("OPENSSH PRIVATE KEY", parts.concat()))
}

#[test]
fn no_file_takes_all_time_or_all_memory() {
    let sandbox = Sandbox::new();
    sandbox.write("password", "secret");
    for (what, document) in [
        // As much as is allowed, and then the password is wrong.
        (
            "SHA-512, 5 million times",
            encrypted_key(pbkdf2(5_000_000, SHA512)),
        ),
        (
            "triple DES, 10 million times in all",
            encrypted_key(triple_des(3_333_333)),
        ),
        ("scrypt, 256 MiB", encrypted_key(scrypt(1 << 18, 8, 1))),
        ("OpenSSH, 333 rounds", openssh(333).into_bytes()),
        // More than that, in one part or in many.
        ("SHA-256, often", encrypted_key(pbkdf2(10_000_001, SHA256))),
        (
            "a keystore's key, often",
            keystore(&encrypted_key(pbkdf2(10_000_001, SHA256))),
        ),
        ("scrypt, 512 MiB", encrypted_key(scrypt(1 << 19, 8, 1))),
        ("scrypt, large blocks", encrypted_key(scrypt(2, 1 << 22, 1))),
        ("scrypt, no memory", encrypted_key(scrypt(0, 0, 0))),
        ("scrypt, many at once", encrypted_key(scrypt(2, 38, 65_535))),
        (
            "scrypt, for ever",
            encrypted_key(scrypt(1 << 14, 8, 60_000)),
        ),
        ("OpenSSH, for ever", openssh(u32::MAX).into_bytes()),
        ("RSA keys without primes", rsa_keys(60).into_bytes()),
    ] {
        let file = sandbox.write("hostile", document);
        let arguments = ["set", "api", &file, "--password-file", "password"];
        let Some((run, cost)) = sandbox.measure(arguments) else {
            return;
        };
        assert!(matches!(run.code, Some(5 | 7)), "{what}: {run:#?}");
        let is_bounded = cost.seconds < SECONDS && cost.mib <= 300;
        assert!(is_bounded, "{what}: {cost:?} {run:#?}");
    }
    assert!(sandbox.store_entries().is_empty());
}

/// Keys of 16384 bits with a private exponent and no primes, which have to be found.
fn rsa_keys(count: u8) -> String {
    let number = |octet: u8| URL_SAFE_NO_PAD.encode([&[octet; 2047][..], &[0x65]].concat());
    let key = |i: u8| {
        let (n, d) = (number(0xff - i), number(0x7f));
        format!(r#"{{"kty":"RSA","kid":"k{i}","n":"{n}","e":"AQAB","d":"{d}"}}"#)
    };
    let keys: Vec<_> = (0..count).map(key).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}
