//! The points of Ed25519 and Ed448 (RFC 8032), and the low-order points of X25519 and X448 (RFC 7748
//! section 7).

use num_bigint::BigUint;

/// ax² + y² = 1 + dx²y² over the integers modulo p (RFC 8032 sections 5.1 and 5.2).
#[derive(Debug)]
pub struct Edwards {
    p: BigUint,
    a: BigUint,
    d: BigUint,
    /// The y coordinates of order 1, 2, 4 and 8, and the same plus p.
    low_order: Vec<BigUint>,
}

/// v² = u³ + au² + u over the integers modulo p (RFC 7748 sections 4.1 and 4.2).
#[derive(Debug)]
pub struct Montgomery {
    /// The length of p in bits.
    bits: u64,
    /// The u coordinates of low order on the curve and its twist, and the same plus p and 2p.
    low_order: Vec<BigUint>,
}

impl Edwards {
    /// The curve of Ed25519.
    pub fn ed25519() -> Self {
        let p = prime_25519();
        let y = number("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826");
        Edwards {
            a: &p - 1u32,
            // -121665 / 121666 modulo p.
            d: number("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3"),
            low_order: with_multiples(&p, &[&p - &y, y]),
            p,
        }
    }

    /// The curve of Ed448.
    pub fn ed448() -> Self {
        let p = prime_448();
        Edwards {
            a: 1u32.into(),
            d: &p - 39081u32,
            low_order: with_multiples(&p, &[]),
            p,
        }
    }

    /// Returns true for a point of order 1, 2, 4 or 8, even in the encodings with y + p that RFC 8032 rejects
    /// and some verifiers accept. Anybody can sign for it.
    pub fn is_low_order(&self, octets: &[u8]) -> bool {
        self.low_order.contains(&little_endian(octets, 1))
    }

    /// Returns true if there is an x for a y coordinate (RFC 8032 sections 5.1.3 and 5.2.3). The last bit is the
    /// sign of x. Points with an x of 0 have a low order.
    pub fn contains(&self, octets: &[u8]) -> bool {
        let Edwards { p, a, d, .. } = self;
        let y = little_endian(octets, 1);
        let square = &y * &y % p;
        // x² = (1 - y²) / (a - dy²), which is a square if the product is one.
        let product = (p + 1u32 - &square) * (p + a - d * &square % p) % p;
        y < *p && is_square(&product, p)
    }
}

impl Montgomery {
    /// The curve of X25519.
    pub fn x25519() -> Self {
        let p = prime_25519();
        let order_8 = [
            "00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0",
            "57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5f",
        ];
        Montgomery {
            bits: p.bits(),
            low_order: with_multiples(&p, &order_8.map(number)),
        }
    }

    /// The curve of X448.
    pub fn x448() -> Self {
        let p = prime_448();
        Montgomery {
            bits: p.bits(),
            low_order: with_multiples(&p, &[]),
        }
    }

    /// Returns true if a u coordinate is one of low order, on the curve or on its twist. The result of a key
    /// agreement with it is known. Every other u can be a public key. Whether the unused bits of the last byte are
    /// ignored (RFC 7748 section 5) does not matter.
    pub fn is_low_order(&self, octets: &[u8]) -> bool {
        let unused = (octets.len() * 8) as u64 - self.bits;
        let is_known = |unused| self.low_order.contains(&little_endian(octets, unused));
        is_known(0) || is_known(unused)
    }
}

/// Returns 0, 1, -1 and the other numbers, and the same plus p and 2p.
fn with_multiples(p: &BigUint, others: &[BigUint]) -> Vec<BigUint> {
    let all = [0u32.into(), 1u32.into(), p - 1u32];
    let all = all.iter().chain(others);
    all.flat_map(|number| [0u32, 1, 2].map(|times| number + p * times))
        .collect()
}

/// Reads hexadecimal digits.
fn number(digits: &str) -> BigUint {
    // The digits are constants of this file, and a test reads all of them.
    BigUint::parse_bytes(digits.as_bytes(), 16).expect("a hex constant")
}

fn prime_25519() -> BigUint {
    (BigUint::from(1u32) << 255u32) - 19u32
}

fn prime_448() -> BigUint {
    let one = BigUint::from(1u32);
    (&one << 448u32) - (&one << 224u32) - 1u32
}

/// Reads a number without the first bits of its last byte.
fn little_endian(octets: &[u8], unused: u64) -> BigUint {
    let mut number = BigUint::from_bytes_le(octets);
    let bits = (octets.len() * 8) as u64;
    (bits - unused..bits).for_each(|bit| number.set_bit(bit, false));
    number
}

/// The 64-bit digits of a number below 2^448, least significant first.
type Digits = [u64; 7];

/// Returns true if a number below the odd prime p is a square modulo p. This is the binary algorithm for the
/// Jacobi symbol, on digits of a fixed number: an exponentiation takes ten times as long.
fn is_square(number: &BigUint, p: &BigUint) -> bool {
    let digits = |number: &BigUint| {
        let mut digits = Digits::default();
        digits
            .iter_mut()
            .zip(number.iter_u64_digits())
            .for_each(|(to, from)| *to = from);
        digits
    };
    let (mut a, mut n) = (digits(number), digits(p));
    let mut is_square = true;
    while a != Digits::default() {
        if halve_fully(&mut a) % 2 == 1 && matches!(n[0] % 8, 3 | 5) {
            is_square = !is_square;
        }
        if a.iter().rev().lt(n.iter().rev()) {
            if a[0] % 4 == 3 && n[0] % 4 == 3 {
                is_square = !is_square;
            }
            std::mem::swap(&mut a, &mut n);
        }
        subtract(&mut a, &n);
    }
    is_square
}

/// Divides a number that is not 0 by 2 until it is odd, and returns how often.
fn halve_fully(a: &mut Digits) -> u32 {
    let mut twos = 0;
    while a[0] == 0 {
        a.rotate_left(1);
        twos += 64;
    }
    let shift = a[0].trailing_zeros();
    if shift > 0 {
        for i in 0..a.len() {
            let next = a.get(i + 1).copied().unwrap_or_default();
            a[i] = a[i] >> shift | next << (64 - shift);
        }
    }
    twos + shift
}

/// Subtracts a number that is not larger.
fn subtract(a: &mut Digits, n: &Digits) {
    let mut borrow = false;
    for (digit, other) in a.iter_mut().zip(n) {
        let (rest, one) = digit.overflowing_sub(*other);
        let (rest, two) = rest.overflowing_sub(u64::from(borrow));
        (*digit, borrow) = (rest, one || two);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::pkey::PKey;

    fn octets(number: &BigUint, length: usize) -> Vec<u8> {
        let mut octets = number.to_bytes_le();
        octets.resize(length, 0);
        octets
    }

    #[test]
    fn keys_of_openssl_are_points() {
        for _ in 0..50 {
            let public = |key: PKey<_>| key.raw_public_key().unwrap();
            let key = public(PKey::generate_ed25519().unwrap());
            assert!(Edwards::ed25519().contains(&key) && !Edwards::ed25519().is_low_order(&key));
            let key = public(PKey::generate_ed448().unwrap());
            assert!(Edwards::ed448().contains(&key) && !Edwards::ed448().is_low_order(&key));
            let key = public(PKey::generate_x25519().unwrap());
            assert!(!Montgomery::x25519().is_low_order(&key));
            let key = public(PKey::generate_x448().unwrap());
            assert!(!Montgomery::x448().is_low_order(&key));
        }
    }

    #[test]
    fn squares_agree_with_eulers_criterion() {
        for p in [prime_25519(), prime_448()] {
            let half = (&p - 1u32) >> 1u32;
            let mut number = BigUint::from(3u32);
            for _ in 0..200 {
                number = &number * &number * 7u32 % &p + 1u32;
                let expected = number.modpow(&half, &p) == BigUint::from(1u32);
                assert_eq!(is_square(&number, &p), expected);
            }
        }
    }

    #[test]
    fn half_of_all_strings_are_no_point() {
        for (curve, length) in [(Edwards::ed25519(), 32), (Edwards::ed448(), 57)] {
            let is_point = |y: &u32| curve.contains(&octets(&BigUint::from(*y), length));
            assert!((400..600).contains(&(2..1002).filter(is_point).count()));
        }
        assert!(!Edwards::ed25519().contains(&octets(&2u32.into(), 32)));
    }

    #[test]
    fn a_y_that_is_not_below_the_prime_is_no_point() {
        let curve = Edwards::ed25519();
        let points = (2u32..19).filter(|y| curve.contains(&octets(&(*y).into(), 32)));
        let points: Vec<_> = points.collect();
        assert!(!points.is_empty());
        for y in points {
            assert!(!curve.contains(&octets(&(&curve.p + y), 32)));
        }
        // The unused bits of the last byte of Ed448 are 0.
        let mut key = PKey::generate_ed448().unwrap().raw_public_key().unwrap();
        key[56] |= 1;
        assert!(!Edwards::ed448().contains(&key));
    }

    /// The double of a point of order 8 has a y of 0: a + dy⁴ = 2ay².
    #[test]
    fn the_points_of_low_order_of_the_edwards_curves() {
        for (curve, length, known) in [(Edwards::ed25519(), 32, 5), (Edwards::ed448(), 57, 3)] {
            let Edwards { p, a, d, low_order } = &curve;
            let canonical: Vec<_> = low_order.iter().filter(|y| *y < p).collect();
            assert_eq!(canonical.len(), known);
            for y in canonical {
                let square = y * y % p;
                let double = (a + d * &square * &square) % p == a * &square * 2u32 % p;
                assert!(square.bits() < 2 || double);
                for encoded in [y.clone(), y + p] {
                    let sign = length as u64 * 8 - 1;
                    if encoded.bits() > sign {
                        continue;
                    }
                    let mut negative = encoded.clone();
                    negative.set_bit(sign, true);
                    assert!(curve.is_low_order(&octets(&encoded, length)));
                    assert!(curve.is_low_order(&octets(&negative, length)));
                }
            }
        }
    }

    /// The u of the double of a point of order 8 is 1: (u² - 1)² = 4u(u² + au + 1). There are 12 encodings for
    /// X25519 (https://cr.yp.to/ecdh.html#validate).
    #[test]
    fn the_points_of_low_order_of_the_montgomery_curves() {
        let (small, large) = (Montgomery::x25519(), Montgomery::x448());
        let (of_small, of_large) = (prime_25519(), prime_448());
        for (curve, p, a, length, known) in [
            (small, of_small, 486_662u32, 32, 12),
            (large, of_large, 156_326, 56, 5),
        ] {
            for u in &curve.low_order {
                let square = u * u % &p;
                let less = &square + &p - 1u32;
                let double = u * 4u32 * (&square + u * a + 1u32) % &p;
                assert!(square.bits() < 2 || &less * &less % &p == double);
            }
            let bits = length as u64 * 8;
            let encoded = curve.low_order.iter().filter(|u| u.bits() <= bits);
            let encoded: Vec<_> = encoded.map(|u| octets(u, length)).collect();
            assert_eq!(encoded.len(), known);
            for mut u in encoded {
                assert!(curve.is_low_order(&u));
                // X25519 ignores the first bit, and X448 has no such bit.
                if u.len() == 32 && u[31] < 0x80 {
                    u[31] |= 0x80;
                    assert!(curve.is_low_order(&u));
                }
            }
        }
    }
}
