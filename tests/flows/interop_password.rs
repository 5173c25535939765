//! What other tools say of the forms that a password protects, and of certificates.

use crate::support::{Run, Sandbox, has_tool, named_by};

/// A set `api` with a key for each of these, and `password.txt`.
fn sandbox_with(algorithms: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("password.txt", "correct horse\n");
    for algorithm in algorithms {
        sandbox.ok(["create", "api", "--kid", algorithm, "--alg", algorithm]);
    }
    sandbox
}

/// Exports a private key under the password to a file.
fn export(sandbox: &Sandbox, kid: &str, form: &str, file: &str) -> Run {
    let line = format!(
        "jwks export api {kid} --to {form} --private --password-file password.txt -o {file}"
    );
    sandbox.shell(&line).ok()
}

fn thumbprint(sandbox: &Sandbox, kid: &str) -> String {
    sandbox.ok(["thumbprint", "api", kid])
}

/// What a reader of another tool makes of a file has the thumbprint of the key.
#[track_caller]
fn assert_read_back(sandbox: &Sandbox, kid: &str, reader: &str) {
    let read = sandbox.shell(&format!("{reader} | jwks thumbprint -")).ok();
    assert_eq!(read.stdout, thumbprint(sandbox, kid), "{kid}: {reader}");
}

/// A key of each type; `interop` tries each curve without a password.
const SIGNERS: &[&str] = &["RS256", "ES256", "EdDSA"];

#[test]
fn openssl_reads_pkcs12_and_encrypted_pkcs8() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = sandbox_with(SIGNERS);
    sandbox.ok([
        "create", "api", "--kid", "X448", "--alg", "ECDH-ES", "--crv", "X448",
    ]);
    for kid in SIGNERS.iter().chain(&["X448"]) {
        let (p12, pem) = (format!("{kid}.p12"), format!("{kid}.pem"));
        let run = export(&sandbox, kid, "pkcs12", &p12);
        let has_certificate = *kid != "X448";
        assert_eq!(
            run.stderr.contains("warning: "),
            !has_certificate,
            "{run:#?}"
        );
        let read = format!("openssl pkcs12 -in {p12} -passin file:password.txt -nodes");
        sandbox.shell(&format!("{read} -out {kid}.txt")).ok();
        assert_read_back(&sandbox, kid, &format!("openssl pkey -in {kid}.txt"));
        if has_certificate {
            assert_read_back(&sandbox, kid, &format!("openssl x509 -in {kid}.txt"));
        }
        // What is encrypted is the key as `interop` reads it; the rest is the same for each key.
        if *kid != "ES256" {
            continue;
        }
        export(&sandbox, kid, "pem --encrypt", &pem);
        let read = format!("openssl pkey -in {pem} -passin file:password.txt");
        assert_read_back(&sandbox, kid, &read);
        export(&sandbox, kid, "der", &format!("{kid}.der"));
        let read = format!("openssl pkcs8 -inform DER -in {kid}.der -passin file:password.txt");
        assert_read_back(&sandbox, kid, &read);
        for wrong in [
            format!("openssl pkcs12 -in {p12} -passin pass:wrong -noout"),
            format!("openssl pkey -in {pem} -passin pass:wrong -noout"),
        ] {
            assert_ne!(sandbox.shell(&wrong).code, Some(0), "{wrong}");
        }
    }
}

/// The algorithms are those that other programs read, at a price for who guesses.
#[test]
fn a_password_is_hashed_often() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = sandbox_with(&["ES256"]);
    export(&sandbox, "ES256", "pkcs12", "key.p12");
    let info = "openssl pkcs12 -in key.p12 -passin file:password.txt -info -noout";
    let info = sandbox.shell(info).ok().stderr;
    assert!(info.contains("MAC: sha256, Iteration 100000"), "{info}");
    let bags = "PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256";
    assert_eq!(info.matches(bags).count(), 2, "{info}");
    let salts = ["a.pem", "b.pem"].map(|file| {
        export(&sandbox, "ES256", "pem", file);
        let parse = format!("grep -v -e ---- {file} | base64 -d | openssl asn1parse -inform DER");
        let parsed = sandbox.shell(&parse).ok().stdout;
        for word in [
            ":PBES2",
            ":PBKDF2",
            ":0927C0",
            ":hmacWithSHA256",
            ":aes-256-cbc",
        ] {
            assert!(parsed.contains(word), "{word}: {parsed}");
        }
        let salt = parsed.lines().find(|line| line.contains("[HEX DUMP]"));
        salt.expect("a salt").to_owned()
    });
    assert_ne!(salts[0], salts[1]);
}

/// The chain of `x5c` goes along as it is; without one the key certifies itself.
#[test]
fn keytool_reads_pkcs12() {
    if !has_tool("keytool") || !has_tool("openssl") {
        return;
    }
    let sandbox = sandbox_with(&["PS384", "ES256", "EdDSA"]);
    for kid in ["PS384", "ES256", "EdDSA"] {
        let p12 = format!("{kid}.p12");
        let form = "pkcs12 --alias mine --subject 'CN=me, O=Example'";
        export(&sandbox, kid, form, &p12);
        // Java takes long to read a file, and reads this one below.
        if kid == "ES256" {
            continue;
        }
        let keytool = format!("keytool -keystore {p12} -storepass 'correct horse'");
        let list = sandbox.shell(&format!("{keytool} -list -rfc")).ok().stdout;
        for line in ["Alias name: mine", "PrivateKeyEntry", "chain length: 1"] {
            assert!(list.contains(line), "{line}: {list}");
        }
        sandbox.write("list.txt", list);
        let certificate = "sed -n /-BEGIN/,/-END/p list.txt";
        assert_read_back(&sandbox, kid, certificate);
        let subject = format!("{certificate} | openssl x509 -noout -subject -nameopt RFC2253");
        let subject = sandbox.shell(&subject).ok().stdout;
        assert_eq!(subject, "subject=CN=me,O=Example\n");
    }
    // The private key is the one of the certificate: Java signs a request with it.
    let request = "keytool -certreq -alias mine -keystore ES256.p12 -storepass 'correct horse'";
    sandbox.shell(&format!("{request} > request.pem")).ok();
    let verify = "openssl req -in request.pem -verify -noout";
    assert_read_back(&sandbox, "ES256", &format!("{verify} -pubkey"));
    let subject = sandbox.shell(&format!("{verify} -subject -nameopt RFC2253"));
    assert_eq!(subject.ok().stdout, "subject=CN=me,O=Example\n");
    let chain = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -keyout ca.key -out ca.pem 2>/dev/null &&
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=leaf -keyout leaf.key -out leaf.csr 2>/dev/null &&
        openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem 2>/dev/null &&
        cat leaf.key leaf.pem ca.pem | jwks set api - --kid chained &&
        jwks export api chained --to pkcs12 --private --password-file password.txt -o chained.p12 &&
        keytool -list -v -keystore chained.p12 -storepass 'correct horse'";
    let run = sandbox.shell(chain).ok();
    for line in [
        "Alias name: chained",
        "Certificate chain length: 2",
        "Owner: CN=leaf",
        "Owner: CN=ca",
    ] {
        assert!(run.stdout.contains(line), "{line}: {run:#?}");
    }
    assert!(!run.stderr.contains("self-signed"), "{run:#?}");
}

#[test]
fn openssl_verifies_certificates() {
    if !has_tool("openssl") {
        return;
    }
    let cases = [
        ("RS256", "sha256WithRSAEncryption", "Digital Signature"),
        ("PS256", "rsassaPss", "Digital Signature"),
        ("PS512", "rsassaPss", "Digital Signature"),
        ("RSA-OAEP", "sha256WithRSAEncryption", "Key Encipherment"),
        ("ES256", "ecdsa-with-SHA256", "Digital Signature"),
        ("ES384", "ecdsa-with-SHA384", "Digital Signature"),
        ("ES512", "ecdsa-with-SHA512", "Digital Signature"),
        ("ES256K", "ecdsa-with-SHA256", "Digital Signature"),
        ("EdDSA", "ED25519", "Digital Signature"),
        ("Ed448", "ED448", "Digital Signature"),
    ];
    let sandbox = sandbox_with(&cases.map(|(kid, ..)| kid));
    for (kid, signature, usage) in cases {
        let export = format!("jwks export api {kid} --to x509 --days 2 -o {kid}.crt");
        sandbox.shell(&export).ok();
        // -check_ss_sig has openssl verify what a certificate that is trusted signs itself, too.
        let verify =
            format!("openssl verify -x509_strict -check_ss_sig -CAfile {kid}.crt {kid}.crt");
        sandbox.shell(&verify).ok();
        let text = sandbox
            .shell(&format!("openssl x509 -in {kid}.crt -noout -text"))
            .ok()
            .stdout;
        for line in [
            &format!("Signature Algorithm: {signature}"),
            usage,
            "CN = api",
            "CA:FALSE",
            "Version: 3",
        ] {
            assert!(text.contains(line), "{kid}: {line}: {text}");
        }
        assert_read_back(&sandbox, kid, &format!("cat {kid}.crt"));
        let ends = |seconds: u32| {
            let end = format!("openssl x509 -in {kid}.crt -noout -checkend {seconds}");
            sandbox.shell(&end).code
        };
        assert_eq!(
            (ends(47 * 3600), ends(49 * 3600)),
            (Some(0), Some(1)),
            "{kid}"
        );
    }
}

/// A certificate that `create` makes is the key's own, and stays with it.
#[test]
fn a_new_key_is_certified() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    let create = "jwks create api --kid a --alg PS256 --x509 --subject 'CN=api, O=Ex\\, ample' --days 3650000";
    sandbox.shell(create).fails(2);
    let create = create.replace("3650000", "10000");
    sandbox.shell(&create).ok();
    sandbox.ok(["check", "api", "--strict"]);
    let key = sandbox.json(["get", "api", "a"]);
    let der = key["x5c"][0].as_str().expect("a certificate");
    let read = format!(
        "echo {der} | base64 -d | openssl x509 -inform DER -noout -subject -enddate -nameopt RFC2253"
    );
    let said = sandbox.shell(&read).ok().stdout;
    assert!(said.contains("subject=CN=api,O=Ex\\, ample"), "{said}");
    // After 2049 the time has four digits for the year.
    assert!(said.contains(" 205"), "{said}");
    let digest = format!(
        "echo {der} | base64 -d | openssl dgst -sha256 -binary | base64 | tr +/ -_ | tr -d =\\\\n"
    );
    let digest = sandbox.shell(&digest).ok().stdout;
    assert_eq!(key["x5t#S256"], digest);
    sandbox.write("password.txt", "correct horse");
    let run = export(&sandbox, "a", "pkcs12", "a.p12");
    assert!(!run.stderr.contains("self-signed"), "{run:#?}");
}

#[test]
fn ssh_keygen_reads_openssh_keys() {
    if !has_tool("ssh-keygen") {
        return;
    }
    let algorithms = ["RS256", "ES256", "ES384", "ES512", "EdDSA"];
    let sandbox = sandbox_with(&algorithms);
    for kid in algorithms {
        let public = sandbox.ok(["export", "api", kid, "--to", "openssh"]);
        assert!(public.ends_with(&format!(" {kid}\n")), "{public}");
        sandbox.write("public", &public);
        sandbox.shell("ssh-keygen -l -f public").ok();
        let plain = format!("jwks export api {kid} --to openssh --private -o plain --force");
        sandbox.shell(&plain).ok();
        let derived = sandbox.shell("ssh-keygen -y -P '' -f plain").ok().stdout;
        assert_eq!(derived, public);
        let sign = format!(
            "echo 'me {}' > allowed; echo hello > text; rm -f text.sig
             ssh-keygen -q -Y sign -f plain -n file text &&
             ssh-keygen -Y verify -f allowed -I me -n file -s text.sig < text",
            public.trim()
        );
        sandbox.shell(&sign).ok();
        // A passphrase is slow to try, and protects each key in the same way.
        if !matches!(kid, "RS256" | "EdDSA") {
            continue;
        }
        export(&sandbox, kid, "openssh --force", "locked");
        let derived = sandbox
            .shell("ssh-keygen -y -P 'correct horse' -f locked")
            .ok()
            .stdout;
        assert_eq!(derived, public);
        assert_ne!(
            sandbox.shell("ssh-keygen -y -P wrong -f locked").code,
            Some(0)
        );
    }
    let all = sandbox.ok(["export", "api", "--to", "openssh"]);
    assert_eq!(all.lines().count(), algorithms.len());
}

/// With as many iterations as each opens, and in the form that each expects.
#[test]
fn latchset_jose_opens_a_jwe() {
    if !has_tool("jose") {
        return;
    }
    let sandbox = sandbox_with(&["ES256"]);
    export(&sandbox, "", "jwe --p2c 32768", "set.jwe");
    sandbox.write("password.jwk", r#"{"kty":"oct","k":"Y29ycmVjdCBob3JzZQ"}"#);
    assert_read_back(&sandbox, "ES256", "jose jwe dec -i set.jwe -k password.jwk");
}

#[test]
fn npm_jose_opens_a_jwe() {
    let Some(directory) = named_by("JWKS_TEST_NODE_JOSE") else {
        return;
    };
    if !has_tool("node") {
        return;
    }
    let sandbox = sandbox_with(&["ES256", "RS256"]);
    sandbox.write(
        "open.mjs",
        format!(
            "import {{ createRequire }} from 'node:module'
             import {{ readFileSync }} from 'node:fs'
             const path = createRequire({directory:?} + '/').resolve('jose')
             const jose = await import(path)
             const password = new TextEncoder().encode('correct horse')
             const read = (file) => jose.compactDecrypt(readFileSync(file, 'utf8'), password,
               {{ keyManagementAlgorithms: ['PBES2-HS512+A256KW'] }})
             const set = JSON.parse(new TextDecoder().decode((await read('set.jwe')).plaintext))
             const one = await read('one.jwe')
             const key = JSON.parse(new TextDecoder().decode(one.plaintext))
             await jose.importJWK(key)
             console.log(set.keys.map((key) => key.kid).join(' '), key.kid, one.protectedHeader.cty)
            "
        ),
    );
    export(&sandbox, "", "jwe --p2c 10000", "set.jwe");
    let run = export(&sandbox, "RS256", "jwe --p2c 10000", "one.jwe");
    assert!(
        run.stderr
            .contains("warning: with 10000 iterations the password"),
        "{run:#?}"
    );
    let said = sandbox.shell("node open.mjs").ok().stdout;
    assert_eq!(said, "ES256 RS256 RS256 jwk+json\n");
}

#[test]
fn jwcrypto_opens_a_jwe() {
    let Some(python) = named_by("JWKS_TEST_PYTHON") else {
        return;
    };
    let sandbox = sandbox_with(&["ES256", "RS256"]);
    sandbox.write(
        "open.py",
        "from jwcrypto import jwe, jwk
token = jwe.JWE(algs=['PBES2-HS512+A256KW', 'A256GCM'])
token.deserialize(open('set.jwe').read(), jwk.JWK.from_password('correct horse'))
print(token.payload.decode())
",
    );
    export(&sandbox, "", "jwe --p2c 16384", "set.jwe");
    let read = format!("{python} open.py | jwks thumbprint -");
    let all = sandbox.ok(["thumbprint", "api"]);
    assert_eq!(sandbox.shell(&read).ok().stdout, all);
}

/// jwcrypto writes the salt and the iteration count into the header of the recipient, and several
/// recipients.
#[test]
fn jwcrypto_writes_a_jwe_in_json() {
    let Some(python) = named_by("JWKS_TEST_PYTHON") else {
        return;
    };
    let sandbox = sandbox_with(&["ES256", "RS256"]);
    sandbox.write(
        "write.py",
        "import json
from jwcrypto import jwe, jwk
content = open('set.json').read()
horse, other = jwk.JWK.from_password('correct horse'), jwk.JWK.from_password('other')
wrap = '{\"alg\":\"PBES2-HS256+A128KW\",\"p2c\":4096}'
def write(name, protected, unprotected, *recipients):
    token = jwe.JWE(content, protected=protected, unprotected=unprotected,
                    algs=['PBES2-HS256+A128KW', 'PBES2-HS512+A256KW', 'RSA-OAEP-256', 'A256GCM'])
    for key, header in recipients:
        token.add_recipient(key, header=header)
    open(name, 'w').write(token.serialize())
enc = '{\"enc\":\"A256GCM\"}'
write('protected.json', '{\"alg\":\"PBES2-HS512+A256KW\",\"enc\":\"A256GCM\"}', None, (horse, None))
write('header.json', enc, None, (horse, wrap))
write('unprotected.json', None, enc, (horse, wrap))
write('several.json', enc, None, (other, wrap), (jwk.JWK.generate(kty='RSA', size=2048),
      '{\"alg\":\"RSA-OAEP-256\"}'), (horse, wrap.replace('4096', '5000')))
",
    );
    let content = sandbox.ok(["get", "api", "--private"]);
    sandbox.write("set.json", content);
    sandbox.shell(&format!("{python} write.py")).ok();
    let all = sandbox.ok(["thumbprint", "api"]);
    for name in ["protected", "header", "unprotected", "several"] {
        let file = format!("{name}.json");
        let read = ["thumbprint", &file, "--password-file", "password.txt"];
        assert_eq!(sandbox.ok(read), all, "{name}");
        sandbox.write("wrong", "incorrect horse\n");
        let read = ["thumbprint", &file, "--password-file", "wrong"];
        sandbox.run(read).fails(7);
    }
    // A set in the keystore would lose its other recipients when jwks writes it.
    let several = std::fs::read(sandbox.path().join("several.json")).expect("a document");
    sandbox.write("store/several.jwe", several);
    let run = sandbox.run(["list", "several"]).fails(5);
    assert!(
        run.stderr
            .contains("several recipients, unprotected headers"),
        "{run:#?}"
    );
}
