//! The rules. Each has a stable name, a severity and a one-sentence description. The man page lists
//! this table.

use std::fmt;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Information.
    Note,
    /// Members contradict each other, or some tools reject the key.
    Warning,
    /// The key breaks a MUST of a specification, or anybody can use it in place of its owner.
    /// [`Breaks`](crate::key::check::Breaks) says which part can still be used.
    Error,
}

impl Severity {
    /// Returns the name of the severity in output and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

macro_rules! rules {
    ($($variant:ident $name:literal $severity:ident $text:literal)*) => {
        /// The rules that a finding can report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule {
            $(#[doc = $text] $variant,)*
        }

        /// Every rule, in the order of the man page.
        pub static RULES: &[Rule] = &[$(Rule::$variant),*];

        impl Rule {
            /// Returns the stable name of the rule.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$variant => $name,)* }
            }

            /// Returns the severity of a finding of this rule.
            pub fn severity(self) -> Severity {
                match self { $(Rule::$variant => Severity::$severity,)* }
            }

            /// Returns true for an error of a key that works in spite of it: the holders of a short
            /// secret have agreed on it, and a rotation replaces it.
            pub fn is_harmless(self) -> bool {
                self == Rule::SymmetricSize
            }

            /// Describes in one sentence what breaks the rule.
            pub fn text(self) -> &'static str {
                match self { $(Rule::$variant => $text,)* }
            }
        }
    };
}

rules! {
    KeyNotObject "key-not-object" Error
        "An element of the set is not a JSON object (RFC 7517 section 5.1)."
    MemberDuplicate "member-duplicate" Error
        "A member name appears twice in a key (RFC 7517 section 4)."
    MemberUndecodable "member-undecodable" Error
        "A member name or text cannot be decoded, such as half a surrogate pair (RFC 8259 section 8.2)."
    MemberType "member-type" Error
        "A registered member has the wrong JSON type."
    MemberMissing "member-missing" Error
        "A member that the kty requires is missing (RFC 7517 section 4.1, RFC 7518 section 6)."
    MemberForeign "member-foreign" Warning
        "A member belongs to another kty."
    MemberName "member-name" Warning
        "The name of a member differs from a registered one only in case or in a separator, so most tools ignore the member."
    KtyName "kty-name" Error
        "The kty is empty, or differs from a registered one only in case."
    KtyUnknown "kty-unknown" Warning
        "jwks does not know the kty. The key is kept and listed as unsupported, but never published."
    CrvName "crv-name" Error
        "The crv belongs to another kty, or is another name of a registered curve."
    CrvUnknown "crv-unknown" Warning
        "jwks does not know the crv. The key is kept and listed as unsupported, but never published."
    ValueEmpty "value-empty" Error
        "A base64url value is empty."
    Base64urlPadding "base64url-padding" Error
        "A base64url value ends in padding (RFC 7515 section 2)."
    Base64urlAlphabet "base64url-alphabet" Error
        "A base64url value has a character outside its alphabet."
    Base64urlLength "base64url-length" Error
        "A base64url value has an impossible length."
    Base64urlTrailingBits "base64url-trailing-bits" Error
        "The unused bits in the last character of a base64url value are not zero (RFC 4648 section 3.5), so tools disagree on the thumbprint."
    UintLeadingZero "uint-leading-zero" Error
        "An RSA integer has leading zero bytes (RFC 7518 section 2, Base64urlUInt), so tools disagree on the thumbprint."
    RsaModulusSize "rsa-modulus-size" Error
        "The RSA modulus is below 2048 or above 16384 bits (RFC 7518 section 3.3)."
    RsaModulusEven "rsa-modulus-even" Error
        "The RSA modulus is even, so it is not the product of two large primes."
    RsaExponent "rsa-exponent" Error
        "The RSA public exponent is even, below 3, or above 256 bits."
    RsaExponentSmall "rsa-exponent-small" Warning
        "The RSA public exponent is below 65537."
    RsaRoca "rsa-roca" Error
        "The RSA modulus has the form of keys from chips with CVE-2017-15361 (ROCA), which can be factored."
    RsaSmallFactor "rsa-small-factor" Error
        "The RSA modulus has a prime factor below 262144."
    RsaPower "rsa-power" Error
        "The RSA modulus is a square or another power."
    RsaClosePrimes "rsa-close-primes" Error
        "The primes of the RSA modulus are so close together that Fermat's method finds them (NIST SP 800-56B)."
    RsaPrime "rsa-prime" Error
        "The RSA modulus is prime, so anybody can compute the private key."
    RsaSharedPrime "rsa-shared-prime" Error
        "The RSA moduli of two keys of the set have a common prime, so anybody can factor both."
    RsaUnchecked "rsa-unchecked" Warning
        "Some RSA moduli were not checked for these weaknesses, because the document has too many RSA keys."
    RsaPrivateIncomplete "rsa-private-incomplete" Error
        "Some of p, q, dp, dq and qi are missing, or d is missing (RFC 7518 section 6.3.2)."
    RsaCrtMissing "rsa-crt-missing" Warning
        "dp, dq and qi are missing, although p and q are present (RFC 7518 section 6.3.2)."
    RsaPrimesMissing "rsa-primes-missing" Note
        "p, q, dp, dq and qi are missing, although many libraries require them (RFC 7518 section 6.3.2)."
    RsaMultiPrime "rsa-multi-prime" Error
        "The RSA key has more than two primes (oth), which jwks does not support (RFC 7518 section 6.3.2.7)."
    CoordinateLength "coordinate-length" Error
        "x or y does not have the full length of its curve (RFC 7518 section 6.2.1.2, RFC 8037 section 2)."
    PointNotOnCurve "point-not-on-curve" Error
        "x, or the point x, y, is not on its curve (RFC 8032 sections 5.1.3, 5.2.3)."
    PointLowOrder "point-low-order" Error
        "The public key is a point of low order, so anybody can sign in its name or knows the result of its key agreements."
    PrivateLength "private-length" Error
        "d or priv does not have the full length of its curve or algorithm (RFC 7518 section 6.2.2.1, RFC 9964 section 4)."
    PrivateRange "private-range" Error
        "d is zero, or not below the order of its curve."
    PrivateMismatch "private-mismatch" Error
        "The private part does not belong to the public part."
    PrivateKnown "private-known" Warning
        "The private part of the key is known to everybody, for example because an RFC prints it."
    PrivateUnchecked "private-unchecked" Warning
        "The private part was not checked, because OpenSSL does not know the algorithm or the document has too many private keys."
    SymmetricSize "symmetric-size" Error
        "The symmetric key does not have the size that its algorithm requires (RFC 7518 sections 3.2, 4.4, 5)."
    SymmetricGuessable "symmetric-guessable" Warning
        "The symmetric key is a text that people remember, or a simple sequence of bytes (RFC 8725 section 3.5)."
    SymmetricAlgMissing "symmetric-alg-missing" Note
        "The symmetric key has no alg, so one secret can serve several algorithms (RFC 8725 section 3.1)."
    AkpLength "akp-length" Error
        "pub does not have the length of its algorithm (RFC 9964 section 3)."
    AlgNone "alg-none" Warning
        "The alg is none, so the key signs nothing."
    AlgUnknown "alg-unknown" Note
        "jwks does not know the alg."
    AlgName "alg-name" Warning
        "The alg is a common misnomer, or differs from a registered name only in case or in a separator."
    AlgProhibited "alg-prohibited" Warning
        "The alg is registered as prohibited, such as RS1."
    AlgDeprecated "alg-deprecated" Warning
        "The alg is RSA1_5, whose padding is vulnerable to Bleichenbacher's attack."
    AlgKty "alg-kty" Error
        "The alg requires keys of another kty (RFC 7518 sections 3, 4, RFC 8037 section 3, RFC 9964 section 3)."
    AlgCrv "alg-crv" Error
        "The alg requires keys on another curve (RFC 7518 sections 3.4, 4.6, RFC 8037 section 3)."
    AlgUse "alg-use" Warning
        "The alg and use contradict each other."
    AlgKeyOps "alg-key-ops" Warning
        "The alg and key_ops contradict each other."
    UseUnknown "use-unknown" Note
        "The use is neither sig nor enc."
    UseKeyOps "use-key-ops" Error
        "The use and key_ops contradict each other (RFC 7517 section 4.3)."
    UseAndKeyOps "use-and-key-ops" Note
        "The key has both use and key_ops, which should not be used together (RFC 7517 section 4.3)."
    KeyOpsUnknown "key-ops-unknown" Note
        "key_ops has a value that is not registered."
    KeyOpsDuplicate "key-ops-duplicate" Error
        "key_ops has a duplicate value (RFC 7517 section 4.3)."
    KeyOpsUnrelated "key-ops-unrelated" Warning
        "key_ops mixes unrelated operations (RFC 7517 section 4.3)."
    KeyOpsPrivate "key-ops-private" Warning
        "key_ops of a public key has an operation that requires the private key."
    X5cForm "x5c-form" Error
        "x5c is not an array of at least one base64 string (RFC 7517 section 4.7)."
    X5cCertificate "x5c-certificate" Error
        "An element of x5c is not an X.509 certificate."
    X5cUnchecked "x5c-unchecked" Warning
        "The certificates were not checked, because the document has too many certificates."
    X5cKey "x5c-key" Error
        "The first certificate of x5c is for another key (RFC 7517 section 4.7)."
    X5cChain "x5c-chain" Error
        "A certificate of x5c is not certified by the next one (RFC 7517 section 4.7)."
    X5cUse "x5c-use" Error
        "The key usage of the first certificate of x5c does not allow the key's use, or that of its alg (RFC 7517 section 4.7)."
    X5cExpired "x5c-expired" Warning
        "A certificate of x5c has expired."
    X5cNotYetValid "x5c-not-yet-valid" Warning
        "A certificate of x5c is not valid yet, or begins after the key's nbf."
    X5cEndsBeforeKey "x5c-ends-before-key" Warning
        "A certificate of x5c expires before the key's exp."
    X5tLength "x5t-length" Error
        "x5t or x5t#S256 does not have the length of its digest (RFC 7517 sections 4.8, 4.9)."
    X5tHex "x5t-hex" Warning
        "x5t or x5t#S256 is a hexadecimal digest instead of base64url (RFC 7517 sections 4.8, 4.9)."
    X5tMismatch "x5t-mismatch" Error
        "x5t or x5t#S256 is not the digest of the first certificate of x5c."
    X5uNotHttps "x5u-not-https" Warning
        "x5u is not an https URL (RFC 7517 section 4.6)."
    KidMissing "kid-missing" Note
        "A key among several has no kid."
    KidEmpty "kid-empty" Warning
        "The kid is empty."
    KidDuplicate "kid-duplicate" Warning
        "Two keys of the same kty share a kid."
    KidShared "kid-shared" Note
        "Two keys of different kty share a kid, which RFC 7517 section 4.5 allows for equivalents."
    KidThumbprint "kid-thumbprint" Warning
        "The kid is the thumbprint of another key of the set, so commands reject the name as ambiguous."
    ThumbprintDuplicate "thumbprint-duplicate" Warning
        "The set has the same key twice."
    DatesOrder "dates-order" Warning
        "exp is not after nbf."
    IatFuture "iat-future" Warning
        "The iat is more than a year ahead."
    KeyExpired "key-expired" Note
        "The key has expired."
    LineUnsigned "line-unsigned" Warning
        "All keys of a line whose nbf has passed have expired, so no key of the line signs now."
    BeginShared "begin-shared" Note
        "Two keys of a line have the same nbf. The one with the newer iat signs, or else the later one in the set."
    SuccessorMissing "successor-missing" Warning
        "The key names a successor in another line that is missing or never becomes active, so the key continues to sign."
    AlgMissing "alg-missing" Note
        "With --public: a key has no alg, which many verifiers require (RFC 8725 section 3.1)."
    UseMissing "use-missing" Note
        "With --public: a key has neither use nor key_ops, which many verifiers require."
    UseRequired "use-required" Warning
        "With --public: the set has signing and encryption keys, so each key requires use (OpenID Connect Core section 10.1)."
    SetEmpty "set-empty" Warning
        "With --public: the set has no keys, so verifiers reject every token."
    PrivatePublished "private-published" Error
        "With --public: a private key in a set meant for publication, even as PEM in an unknown member."
    SymmetricPublished "symmetric-published" Error
        "With --public: a symmetric key in a set meant for publication."
    VerifierRefuses "verifier-refuses" Error
        "With --for: because of the key, a verifier refuses the tokens of every key of the set."
    VerifierHides "verifier-hides" Error
        "With --for: because of the key, a verifier refuses the tokens of later keys of another kty."
    VerifierIgnores "verifier-ignores" Warning
        "With --for: a verifier refuses the tokens of the key."
    ProfileBroken "profile-broken" Error
        "With --for: the set lacks what a profile requires."
    ProfileAdvice "profile-advice" Note
        "With --for: the set lacks what a profile recommends."
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = RULES.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), RULES.len());
    }
}
