//! The elliptic curves that JOSE registers, with the arithmetic of their public points.
//!
//! Public points are checked here, without OpenSSL, so that commands which only read a set do
//! not pay for its start.

use num_bigint::BigUint;
use std::sync::LazyLock;

/// An elliptic curve with a registered JOSE name.
#[derive(Debug)]
pub struct Curve {
    /// The `crv` value.
    pub name: &'static str,
    /// The `kty` that the curve belongs to: `EC` or `OKP`.
    pub kty: &'static str,
    /// The length in octets of a coordinate, of `x` and of `d`.
    pub octets: usize,
    /// The key size in bits as people name it.
    pub bits: u32,
    /// The equation of a curve in short Weierstrass form; `None` for OKP curves.
    pub weierstrass: Option<&'static LazyLock<Weierstrass>>,
    /// Names other standards give the curve; not to be used as `crv`.
    pub aliases: &'static [&'static str],
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
    /// From hexadecimal p, b and order; `a` is p - 3 or 0.
    fn new(p: &str, a_is_minus_3: bool, b: &str, order: &str) -> Self {
        // The three are constants of this file, and a test parses every one.
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

    /// Whether the point with these big-endian coordinates satisfies the equation, with both
    /// coordinates below p.
    pub fn contains(&self, x: &[u8], y: &[u8]) -> bool {
        let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
        if x >= self.p || y >= self.p {
            return false;
        }
        let right = (&x * &x % &self.p + &self.a) * &x + &self.b;
        (&y * &y) % &self.p == right % &self.p
    }

    /// Whether a big-endian private scalar lies in 1 … order - 1.
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

/// Every curve that jwks knows: RFC 7518 section 6.2.1.1, RFC 8037 section 2, RFC 8812 section 3.
pub static CURVES: &[Curve] = &[
    ec("P-256", 32, 256, &P256, &["secp256r1", "prime256v1"]),
    ec("P-384", 48, 384, &P384, &["secp384r1"]),
    ec("P-521", 66, 521, &P521, &["secp521r1", "P-512"]),
    ec("secp256k1", 32, 256, &SECP256K1, &["P-256K", "K-256"]),
    okp("Ed25519", 32, 255, &["ed25519"]),
    okp("Ed448", 57, 448, &["ed448"]),
    okp("X25519", 32, 255, &["x25519", "curve25519", "Curve25519"]),
    okp("X448", 56, 448, &["x448", "curve448", "Curve448"]),
];

const fn ec(
    name: &'static str,
    octets: usize,
    bits: u32,
    equation: &'static LazyLock<Weierstrass>,
    aliases: &'static [&'static str],
) -> Curve {
    Curve {
        name,
        kty: "EC",
        octets,
        bits,
        weierstrass: Some(equation),
        aliases,
    }
}

const fn okp(
    name: &'static str,
    octets: usize,
    bits: u32,
    aliases: &'static [&'static str],
) -> Curve {
    Curve {
        name,
        kty: "OKP",
        octets,
        bits,
        weierstrass: None,
        aliases,
    }
}

impl Curve {
    /// The curve with this registered name, case-sensitive.
    pub fn named(name: &str) -> Option<&'static Curve> {
        CURVES.iter().find(|curve| curve.name == name)
    }

    /// The curve that this name means although it is not the registered one.
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
        use openssl::nid::Nid;
        for (name, nid) in [
            ("P-256", Nid::X9_62_PRIME256V1),
            ("P-384", Nid::SECP384R1),
            ("P-521", Nid::SECP521R1),
            ("secp256k1", Nid::SECP256K1),
        ] {
            let curve = Curve::named(name).unwrap();
            let equation = curve.weierstrass.unwrap();
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
