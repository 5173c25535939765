//! Files that try to exhaust time or memory. Their cost is counted, not timed.

use crate::support::Sandbox;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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

/// An object identifier by its bytes in hexadecimal.
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

/// An OpenSSH private key whose passphrase takes this many bcrypt rounds.
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

/// The work for a password is counted and compared with the limit before the password is asked for.
/// The counts here are the largest that are allowed, and the next ones.
#[test]
fn a_password_that_costs_too_much_is_not_asked_for() {
    let sandbox = Sandbox::new();
    let set = |document: &[u8]| sandbox.run(["set", "api", &sandbox.write("hostile", document)]);
    for (what, document) in [
        ("SHA-512", encrypted_key(pbkdf2(5_000_000, SHA512))),
        ("SHA-256", encrypted_key(pbkdf2(10_000_000, SHA256))),
        ("triple DES", encrypted_key(triple_des(3_333_333))),
        ("scrypt", encrypted_key(scrypt(1 << 18, 8, 2))),
        ("OpenSSH", openssh(222).into_bytes()),
    ] {
        let run = set(&document).fails(7);
        assert!(run.stderr.contains("password"), "{what}: {run:#?}");
    }
    const WORK: &str = "takes more than 10000000 iterations";
    const MEMORY: &str = "takes more than 256 MiB of memory";
    const PARAMETERS: &str = "unsupported encryption: scrypt with unsupported parameters";
    for (what, document, why) in [
        ("SHA-512", encrypted_key(pbkdf2(5_000_001, SHA512)), WORK),
        ("SHA-256", encrypted_key(pbkdf2(10_000_001, SHA256)), WORK),
        (
            "a keystore's key",
            keystore(&encrypted_key(pbkdf2(10_000_001, SHA256))),
            WORK,
        ),
        ("triple DES", encrypted_key(triple_des(3_333_334)), WORK),
        ("scrypt", encrypted_key(scrypt(1 << 18, 8, 3)), WORK),
        (
            "scrypt for ever",
            encrypted_key(scrypt(1 << 14, 8, 60_000)),
            MEMORY,
        ),
        ("OpenSSH", openssh(223).into_bytes(), WORK),
        ("OpenSSH for ever", openssh(u32::MAX).into_bytes(), WORK),
        (
            "scrypt, 512 MiB",
            encrypted_key(scrypt(1 << 19, 8, 1)),
            MEMORY,
        ),
        (
            "scrypt, large blocks",
            encrypted_key(scrypt(2, 1 << 22, 1)),
            PARAMETERS,
        ),
        ("scrypt, no memory", encrypted_key(scrypt(0, 0, 0)), MEMORY),
        (
            "scrypt, many at once",
            encrypted_key(scrypt(2, 38, 65_535)),
            MEMORY,
        ),
    ] {
        let run = set(&document).fails(5);
        assert!(run.stderr.contains(why), "{what}: {run:#?}");
    }
    // Each attempt costs the same, and the second one exceeds the limit.
    sandbox.write("passwords", "one\ntwo\n");
    let file = sandbox.write("hostile", encrypted_key(pbkdf2(5_000_001, SHA256)));
    let run = sandbox.run(["set", "api", &file, "--password-file", "passwords"]);
    assert!(run.fails(5).stderr.contains(WORK));
    assert!(sandbox.store_entries().is_empty());
}

/// The most memory that a password may take, and then the password is wrong.
#[test]
fn a_password_takes_no_more_memory_than_is_allowed() {
    let sandbox = Sandbox::new();
    sandbox.write("password", "secret");
    let file = sandbox.write("hostile", encrypted_key(scrypt(1 << 18, 8, 1)));
    let set = ["set", "api", &file, "--password-file", "password"];
    let Some((run, mib)) = sandbox.peak_memory(set) else {
        return;
    };
    run.fails(7);
    assert!((256..=300).contains(&mib), "{mib} MiB");
    assert!(sandbox.store_entries().is_empty());
}

/// The primes of at most four keys are looked for.
#[test]
fn primes_are_computed_for_few_large_keys() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("hostile", rsa_keys(60));
    let run = sandbox.run(["check", &file]);
    let unchecked = run.stdout.matches("private-unchecked").count();
    assert!((56..=60).contains(&unchecked), "{run:#?}");
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
