//! The elliptic curves that JOSE registers, and the equations of their points.
//!
//! Public points are checked here without OpenSSL, because commands that only read a set should not
//! wait for its start.

mod edwards;

use edwards::{Edwards, Montgomery};
use josekit::jwk::alg::{ec::EcCurve, ecx::EcxCurve, ed::EdCurve};
use num_bigint::BigUint;
use openssl::nid::Nid;
use openssl::pkey::Id;
use pkcs8::der::asn1::ObjectIdentifier;
use std::sync::LazyLock;

/// An elliptic curve with a registered JOSE name.
#[derive(Debug)]
pub struct Curve {
    /// The `crv` value.
    pub name: &'static str,
    /// The `kty` that the curve belongs to: `EC` or `OKP`.
    pub kty: &'static str,
    /// The length of `x`, `y` and `d` in bytes.
    pub octets: usize,
    /// The key size in bits, as documented for the curve.
    pub bits: u32,
    /// The object identifier: of the named curve for EC keys (RFC 5480 section 2.1.1.1, SEC 2), of the
    /// algorithm for OKP keys (RFC 8410 section 3).
    pub oid: ObjectIdentifier,
    /// The form of the curve, with its names in OpenSSL and josekit.
    pub form: Form,
    /// The time that OpenSSL takes to compute a public key, in microseconds on a machine of 2024.
    pub cost: u64,
    /// Names of the curve in other standards, which are not valid as `crv`.
    pub aliases: &'static [&'static str],
}

/// The form of a curve. It decides what its keys can do and how they are made.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A curve of EC keys.
    Weierstrass {
        /// The curve in OpenSSL.
        nid: Nid,
        /// The curve in josekit.
        generator: EcCurve,
        /// The equation of its points.
        equation: &'static LazyLock<Weierstrass>,
    },
    /// A curve of OKP keys that sign (RFC 8032).
    Edwards {
        /// The curve in OpenSSL.
        id: Id,
        /// The curve in josekit.
        generator: EdCurve,
        /// The equation of its points.
        equation: &'static LazyLock<Edwards>,
    },
    /// A curve of OKP keys for key agreement (RFC 7748).
    Montgomery {
        /// The curve in OpenSSL.
        id: Id,
        /// The curve in josekit.
        generator: EcxCurve,
        /// The equation of its points.
        equation: &'static LazyLock<Montgomery>,
    },
}

/// y² = x³ + ax + b over the integers modulo p (SEC 2, RFC 7518 section 6.2.1.1, RFC 8812).
#[derive(Debug)]
pub struct Weierstrass {
    p: BigUint,
    a: BigUint,
    b: BigUint,
    order: BigUint,
}

impl Weierstrass {
    /// Creates the equation from p, b and the order in hexadecimal. `a` is p - 3 or 0.
    fn new(p: &str, a_is_minus_3: bool, b: &str, order: &str) -> Self {
        // The numbers are constants of this file, and a test parses all of them.
        let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16).expect("a hex constant");
        let p = number(p);
        let a = if a_is_minus_3 {
            &p - 3u32
        } else {
            BigUint::default()
        };
        Weierstrass {
            a,
            b: number(b),
            order: number(order),
            p,
        }
    }

    /// Returns true if the point with these big-endian coordinates is on the curve and both
    /// coordinates are below p.
    pub fn contains(&self, x: &[u8], y: &[u8]) -> bool {
        let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
        if x >= self.p || y >= self.p {
            return false;
        }
        let right = (&x * &x % &self.p + &self.a) * &x + &self.b;
        (&y * &y) % &self.p == right % &self.p
    }

    /// Returns true if a big-endian number is the order.
    pub fn has_order(&self, order: &[u8]) -> bool {
        BigUint::from_bytes_be(order) == self.order
    }

    /// Returns true if a big-endian private number is between 1 and the order minus 1.
    pub fn is_private_scalar(&self, d: &[u8]) -> bool {
        let d = BigUint::from_bytes_be(d);
        d != BigUint::default() && d < self.order
    }
}

static P256: LazyLock<Weierstrass> = LazyLock::new(|| {
    Weierstrass::new(
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        true,
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    )
});

static P384: LazyLock<Weierstrass> = LazyLock::new(|| {
    Weierstrass::new(
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        true,
        "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    )
});

static P521: LazyLock<Weierstrass> = LazyLock::new(|| {
    Weierstrass::new(
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        true,
        "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    )
});

static SECP256K1: LazyLock<Weierstrass> = LazyLock::new(|| {
    Weierstrass::new(
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
        false,
        "07",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    )
});

static ED25519: LazyLock<Edwards> = LazyLock::new(Edwards::ed25519);
static ED448: LazyLock<Edwards> = LazyLock::new(Edwards::ed448);
static X25519: LazyLock<Montgomery> = LazyLock::new(Montgomery::x25519);
static X448: LazyLock<Montgomery> = LazyLock::new(Montgomery::x448);

/// Every curve that jwks knows: RFC 7518 section 6.2.1.1, RFC 8037 section 2, RFC 8812 section 3.
pub static CURVES: &[Curve] = &[
    Curve {
        name: "P-256",
        kty: "EC",
        octets: 32,
        bits: 256,
        oid: ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        form: Form::Weierstrass {
            nid: Nid::X9_62_PRIME256V1,
            generator: EcCurve::P256,
            equation: &P256,
        },
        cost: 50,
        aliases: &["secp256r1", "prime256v1"],
    },
    Curve {
        name: "P-384",
        kty: "EC",
        octets: 48,
        bits: 384,
        oid: ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        form: Form::Weierstrass {
            nid: Nid::SECP384R1,
            generator: EcCurve::P384,
            equation: &P384,
        },
        cost: 700,
        aliases: &["secp384r1"],
    },
    Curve {
        name: "P-521",
        kty: "EC",
        octets: 66,
        bits: 521,
        oid: ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        form: Form::Weierstrass {
            nid: Nid::SECP521R1,
            generator: EcCurve::P521,
            equation: &P521,
        },
        cost: 1600,
        aliases: &["secp521r1", "P-512"],
    },
    Curve {
        name: "secp256k1",
        kty: "EC",
        octets: 32,
        bits: 256,
        oid: ObjectIdentifier::new_unwrap("1.3.132.0.10"),
        form: Form::Weierstrass {
            nid: Nid::SECP256K1,
            generator: EcCurve::Secp256k1,
            equation: &SECP256K1,
        },
        cost: 350,
        aliases: &["P-256K", "K-256"],
    },
    Curve {
        name: "Ed25519",
        kty: "OKP",
        octets: 32,
        bits: 255,
        oid: ObjectIdentifier::new_unwrap("1.3.101.112"),
        form: Form::Edwards {
            id: Id::ED25519,
            generator: EdCurve::Ed25519,
            equation: &ED25519,
        },
        cost: 50,
        aliases: &["ed25519"],
    },
    Curve {
        name: "Ed448",
        kty: "OKP",
        octets: 57,
        bits: 448,
        oid: ObjectIdentifier::new_unwrap("1.3.101.113"),
        form: Form::Edwards {
            id: Id::ED448,
            generator: EdCurve::Ed448,
            equation: &ED448,
        },
        cost: 180,
        aliases: &["ed448"],
    },
    Curve {
        name: "X25519",
        kty: "OKP",
        octets: 32,
        bits: 255,
        oid: ObjectIdentifier::new_unwrap("1.3.101.110"),
        form: Form::Montgomery {
            id: Id::X25519,
            generator: EcxCurve::X25519,
            equation: &X25519,
        },
        cost: 50,
        aliases: &["x25519", "curve25519", "Curve25519"],
    },
    Curve {
        name: "X448",
        kty: "OKP",
        octets: 56,
        bits: 448,
        oid: ObjectIdentifier::new_unwrap("1.3.101.111"),
        form: Form::Montgomery {
            id: Id::X448,
            generator: EcxCurve::X448,
            equation: &X448,
        },
        cost: 180,
        aliases: &["x448", "curve448", "Curve448"],
    },
];

impl Curve {
    /// Finds the curve with this registered name. Case matters.
    pub fn named(name: &str) -> Option<&'static Curve> {
        CURVES.iter().find(|curve| curve.name == name)
    }

    /// Finds the curve of EC keys with this object identifier.
    pub(super) fn ec_of_oid(oid: &ObjectIdentifier) -> Option<&'static Curve> {
        let mut curves = CURVES.iter().filter(|curve| curve.kty == "EC");
        curves.find(|curve| curve.oid == *oid)
    }

    /// Finds the EC curve with these big-endian numbers as prime and coefficients.
    pub(super) fn of_equation(p: &[u8], a: &[u8], b: &[u8]) -> Option<&'static Curve> {
        let [p, a, b] = [p, a, b].map(BigUint::from_bytes_be);
        let is_it = |it: &Weierstrass| it.p == p && it.a == a && it.b == b;
        let mut curves = CURVES.iter();
        curves.find(|curve| curve.equation().is_some_and(is_it))
    }

    /// Finds the curve of OKP keys with this object identifier.
    pub(super) fn okp_of_oid(oid: &ObjectIdentifier) -> Option<&'static Curve> {
        let mut curves = CURVES.iter().filter(|curve| curve.kty == "OKP");
        curves.find(|curve| curve.oid == *oid)
    }

    /// Returns the equation of an EC curve, or `None` for OKP curves.
    pub fn equation(&self) -> Option<&'static Weierstrass> {
        match self.form {
            Form::Weierstrass { equation, .. } => Some(equation),
            Form::Edwards { .. } | Form::Montgomery { .. } => None,
        }
    }

    /// Returns true if the `x` of an OKP key is a point of low order. It must have the length of the curve.
    pub fn is_low_order(&self, x: &[u8]) -> bool {
        match self.form {
            Form::Weierstrass { .. } => false,
            Form::Edwards { equation, .. } => equation.is_low_order(x),
            Form::Montgomery { equation, .. } => equation.is_low_order(x),
        }
    }

    /// Returns true if the `x` of an OKP key stands for a point. It must have the length of the curve.
    pub fn contains(&self, x: &[u8]) -> bool {
        match self.form {
            Form::Edwards { equation, .. } => equation.contains(x),
            // Every x is a point on the curve or on its twist.
            Form::Weierstrass { .. } | Form::Montgomery { .. } => true,
        }
    }

    /// Finds the curve that an unregistered name or spelling refers to.
    pub fn meant_by(name: &str) -> Option<&'static Curve> {
        CURVES
            .iter()
            .find(|curve| curve.name.eq_ignore_ascii_case(name) || curve.aliases.contains(&name))
    }
}

impl PartialEq for Curve {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Curve {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curves_agree_with_openssl() {
        use openssl::bn::{BigNum, BigNumContext};
        use openssl::ec::{EcGroup, EcKey};
        for curve in CURVES {
            let name = curve.name;
            let Form::Weierstrass { nid, equation, .. } = curve.form else {
                continue;
            };
            let group = EcGroup::from_curve_name(nid).unwrap();
            let mut ctx = BigNumContext::new().unwrap();
            let mut order = BigNum::new().unwrap();
            group.order(&mut order, &mut ctx).unwrap();
            assert_eq!(equation.order.to_bytes_be(), order.to_vec(), "{name}");
            let key = EcKey::generate(&group).unwrap();
            let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
            key.public_key()
                .affine_coordinates(&group, &mut x, &mut y, &mut ctx)
                .unwrap();
            assert!(equation.contains(&x.to_vec(), &y.to_vec()), "{name}");
            assert!(!equation.contains(&y.to_vec(), &x.to_vec()), "{name}");
        }
    }

    #[test]
    fn only_registered_names_are_names() {
        assert_eq!(Curve::named("P-256").map(|c| c.octets), Some(32));
        assert!(Curve::named("secp256r1").is_none());
        assert_eq!(Curve::meant_by("secp256r1").map(|c| c.name), Some("P-256"));
        assert_eq!(Curve::meant_by("p-521").map(|c| c.name), Some("P-521"));
        assert!(Curve::meant_by("P-999").is_none());
    }
}
