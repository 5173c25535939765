//! RSA moduli that anybody can factor: with a structure of weak generators, a small or repeated prime, or two
//! primes that are close together.

use num_bigint::BigUint;
use num_integer::Integer as _;
use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;
use std::sync::LazyLock;

/// The reason why anybody can factor a modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// The modulus has the fingerprint of keys from chips with CVE-2017-15361 (ROCA).
    Roca,
    /// A small prime is a factor.
    SmallFactor(u32),
    /// The modulus is a power with this exponent.
    Power(u32),
    /// The primes are so close that Fermat's method finds them.
    ClosePrimes,
    /// The modulus is prime.
    Prime,
}

/// The primes below this number are tried as factors.
const TRIED: u32 = 1 << 18;

/// The steps of Fermat's method. They find primes of 1024 bits that differ in the last 520 bits.
const FERMAT_STEPS: u32 = 1 << 14;

/// The largest modulus in bits that is tested for being prime. The test takes a modular exponentiation.
const PRIME_TEST: u64 = 8192;

/// Returns why anybody can factor an odd modulus, or `None`. `octets` is big-endian.
pub fn find(octets: &[u8]) -> Option<Weakness> {
    let n = BigUint::from_bytes_be(octets);
    if is_roca(&n) {
        return Some(Weakness::Roca);
    }
    small_factor(&n)
        .map(Weakness::SmallFactor)
        .or_else(|| exponent(&n).map(Weakness::Power))
        .or_else(|| has_close_primes(&n).then_some(Weakness::ClosePrimes))
        .or_else(|| is_prime(octets, &n).then_some(Weakness::Prime))
}

/// Returns the cost of [`find`] in microseconds on a machine of 2024.
pub fn cost(octets: &[u8]) -> u64 {
    let kibibits = (octets.len() as u64 * 8).div_ceil(1024);
    let prime_test = if kibibits * 1024 <= PRIME_TEST {
        250 * kibibits.pow(3)
    } else {
        0
    };
    150 + 270 * kibibits + prime_test
}

/// Returns true if the modulus is a power of 65537 modulo each of the first primes, and if there is one exponent
/// for all of them. The primes of such keys are chosen in this way (Nemec et al., The Return of
/// Coppersmith's Attack, section 3). About one of 2^155 other moduli has this form.
fn is_roca(n: &BigUint) -> bool {
    let primes = primes_below(168);
    let logarithms = primes.into_iter().map(|prime| logarithm(n, prime));
    let Some(logarithms) = logarithms.collect::<Option<Vec<_>>>() else {
        return false;
    };
    // The exponent exists if every two logarithms agree (Chinese remainder theorem).
    logarithms.iter().all(|(one, order)| {
        logarithms
            .iter()
            .all(|(other, of_other)| one % order.gcd(of_other) == other % order.gcd(of_other))
    })
}

/// Returns the logarithm of the modulus to the base 65537 modulo a prime, and the order of 65537.
fn logarithm(n: &BigUint, prime: u32) -> Option<(u32, u32)> {
    let n = remainder(n, prime);
    let powers = std::iter::successors(Some(1), |power| {
        Some(power * 65537 % u64::from(prime)).filter(|power| *power != 1)
    });
    let powers: Vec<u64> = powers.collect();
    let found = powers.iter().position(|power| *power == u64::from(n))?;
    Some((found as u32, powers.len() as u32))
}

fn small_factor(n: &BigUint) -> Option<u32> {
    static PRODUCT: LazyLock<BigUint> = LazyLock::new(|| product(&primes_below(TRIED)));
    if (&*PRODUCT % n).gcd(n) == BigUint::from(1u32) {
        return None;
    }
    let mut primes = primes_below(TRIED).into_iter();
    primes.find(|prime| remainder(n, *prime) == 0)
}

/// Multiplies in halves, because long multiplication is quick for factors of one size.
fn product(primes: &[u32]) -> BigUint {
    match primes {
        [] => 1u32.into(),
        [prime] => (*prime).into(),
        _ => {
            let (one, other) = primes.split_at(primes.len() / 2);
            product(one) * product(other)
        }
    }
}

/// Returns the smallest prime exponent of which the modulus is a power. It must have no small factor.
fn exponent(n: &BigUint) -> Option<u32> {
    let largest = n.bits() as u32 / TRIED.ilog2();
    let exponents = primes_below(largest + 1).into_iter();
    let mut exponents = exponents.filter(|exponent| can_be_power(n, *exponent));
    exponents.find(|exponent| n.nth_root(*exponent).pow(*exponent) == *n)
}

/// Returns false for a number that is no power modulo some small prime. Modulo a prime q = 1 + i·exponent, only one
/// of `exponent` numbers is a power, and a root takes longer.
fn can_be_power(n: &BigUint, exponent: u32) -> bool {
    let numbers = (1..).map(|i: u32| i * exponent + 1);
    let primes = numbers.filter(|q| {
        let mut divisors = (2..).take_while(|i| i * i <= *q);
        !divisors.any(|i| q.is_multiple_of(&i))
    });
    primes.take(4).all(|q| {
        let power = BigUint::from(remainder(n, q)).modpow(&((q - 1) / exponent).into(), &q.into());
        power.bits() == 1
    })
}

/// Looks for a² - n = b² with an a close to the square root of n. Most steps need no long numbers: a square is
/// a square modulo every number.
fn has_close_primes(n: &BigUint) -> bool {
    const MODULI: [u32; 16] = [
        64, 63, 65, 11, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61,
    ];
    let first = n.sqrt() + 1u32;
    // For each remainder of the step: true if a² - n can be a square.
    let can_be_square = MODULI.map(|modulus| {
        let squares: Vec<u32> = (0..modulus).map(|b| b * b % modulus).collect();
        let (a, n) = (remainder(&first, modulus), remainder(n, modulus));
        let can_be = |step: u32| squares.contains(&(((a + step).pow(2) + modulus - n) % modulus));
        (0..modulus).map(can_be).collect::<Vec<bool>>()
    });
    let mut candidates = (0..FERMAT_STEPS).filter(|step| {
        let mut moduli = MODULI.iter().zip(&can_be_square);
        moduli.all(|(modulus, can_be)| can_be[(step % modulus) as usize])
    });
    candidates.any(|step| {
        let a = &first + step;
        let square = &a * &a - n;
        let root = square.sqrt();
        &root * &root == square
    })
}

/// Returns true if Fermat's test to the base 2 finds no factor.
fn is_prime(octets: &[u8], n: &BigUint) -> bool {
    let power = || -> Result<BigNum, ErrorStack> {
        let n = BigNum::from_slice(octets)?;
        let (mut exponent, mut power) = (n.to_owned()?, BigNum::new()?);
        exponent.sub_word(1)?;
        let (base, mut ctx) = (BigNum::from_u32(2)?, BigNumContext::new()?);
        power.mod_exp(&base, &exponent, &n, &mut ctx)?;
        Ok(power)
    };
    n.bits() <= PRIME_TEST && power().is_ok_and(|power| power.num_bits() == 1)
}

fn remainder(n: &BigUint, modulus: u32) -> u32 {
    let digits = (n % modulus).to_u32_digits();
    digits.first().copied().unwrap_or_default()
}

fn primes_below(end: u32) -> Vec<u32> {
    let mut is_prime = vec![true; end as usize];
    (2..end)
        .filter(|number| {
            let first = (*number as usize).saturating_mul(*number as usize);
            if is_prime[*number as usize] {
                let multiples = (first..end as usize).step_by(*number as usize);
                multiples.for_each(|multiple| is_prime[multiple] = false);
            }
            is_prime[*number as usize]
        })
        .collect()
}

/// Finds the moduli of a set that share a prime. Moduli are compared with the product of those before them,
/// which is quicker than in pairs.
#[derive(Default)]
pub struct SharedPrimes {
    product: BigUint,
    known: Vec<(usize, BigUint)>,
}

impl SharedPrimes {
    /// Returns the cost of [`SharedPrimes::add`] in microseconds.
    pub fn cost(&self, octets: &[u8]) -> u64 {
        let all = self.product.bits() / 64 + 1;
        // A division and a multiplication by the product, and a greatest common divisor.
        all * digits(octets) * 36 / 10_000 + gcd_cost(octets)
    }

    /// Adds the modulus of the key at an index. Returns true if a modulus before it shares a prime. A modulus
    /// must be added only once. `octets` is big-endian.
    pub fn add(&mut self, index: usize, octets: &[u8]) -> bool {
        let n = BigUint::from_bytes_be(octets);
        let is_shared = !self.known.is_empty() && shares_prime(&self.product, &n);
        if self.known.is_empty() {
            self.product = 1u32.into();
        }
        self.product *= &n;
        self.known.push((index, n));
        is_shared
    }

    /// Returns the cost of [`SharedPrimes::partners`] in microseconds.
    pub fn partners_cost(&self, octets: &[u8]) -> u64 {
        self.known.len() as u64 * gcd_cost(octets)
    }

    /// Returns the indexes of the keys that share a prime with the last one.
    pub fn partners(&self) -> Vec<usize> {
        let Some(((_, last), others)) = self.known.split_last() else {
            return Vec::new();
        };
        let others = others.iter();
        let partners = others.filter(|(_, other)| shares_prime(other, last));
        partners.map(|(index, _)| *index).collect()
    }
}

/// The number of 64-bit digits.
fn digits(octets: &[u8]) -> u64 {
    octets.len() as u64 / 8 + 1
}

fn gcd_cost(octets: &[u8]) -> u64 {
    60 + digits(octets).pow(2) / 50
}

fn shares_prime(number: &BigUint, n: &BigUint) -> bool {
    (number % n).gcd(n) != BigUint::from(1u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prime(bits: i32) -> BigUint {
        let mut prime = BigNum::new().unwrap();
        prime.generate_prime(bits, false, None, None).unwrap();
        BigUint::from_bytes_be(&prime.to_vec())
    }

    fn weakness(n: &BigUint) -> Option<Weakness> {
        find(&n.to_bytes_be())
    }

    fn next_prime(start: BigUint) -> BigUint {
        let mut ctx = BigNumContext::new().unwrap();
        let mut number = start | BigUint::from(1u32);
        loop {
            let candidate = BigNum::from_slice(&number.to_bytes_be()).unwrap();
            if candidate.is_prime(20, &mut ctx).unwrap() {
                return number;
            }
            number += 2u32;
        }
    }

    #[test]
    fn good_moduli_have_no_weakness() {
        for bits in [2048, 3072] {
            let key = openssl::rsa::Rsa::generate(bits).unwrap();
            assert_eq!(find(&key.n().to_vec()), None);
        }
    }

    #[test]
    fn small_factors_are_found() {
        let large = prime(1040);
        for factor in [3u32, 5, 167, 65537, 262_139] {
            assert_eq!(
                weakness(&(&large * factor)),
                Some(Weakness::SmallFactor(factor))
            );
        }
        assert_eq!(weakness(&(large * 262_147u32)), None);
    }

    #[test]
    fn primes_and_powers_are_found() {
        assert_eq!(weakness(&prime(1024)), Some(Weakness::Prime));
        for exponent in [2, 3, 5, 7] {
            let n = prime(1024 / exponent as i32).pow(exponent);
            assert_eq!(weakness(&n), Some(Weakness::Power(exponent)));
        }
        let n = (prime(256) * prime(256)).pow(2);
        assert_eq!(weakness(&n), Some(Weakness::Power(2)));
    }

    #[test]
    fn close_primes_are_found() {
        let p = prime(512);
        for distance in [2, 100, 256, 262] {
            let q = next_prime(&p + (BigUint::from(1u32) << distance as u64));
            assert_eq!(
                weakness(&(&p * q)),
                Some(Weakness::ClosePrimes),
                "{distance}"
            );
        }
        let q = next_prime(&p + (BigUint::from(1u32) << 300u64));
        assert_eq!(weakness(&(p * q)), None);
    }

    /// Makes primes k·M + (65537^a mod M), where M is the product of the first 39 primes.
    #[test]
    fn the_fingerprint_of_roca_is_found() {
        let m = product(&primes_below(168));
        let roca_prime = |start: u32| {
            let generator = BigUint::from(65537u32);
            let mut exponent = BigUint::from(start);
            loop {
                exponent += 1u32;
                let number = (&m << 200u64) + generator.modpow(&exponent, &m);
                let candidate = BigNum::from_slice(&number.to_bytes_be()).unwrap();
                let mut ctx = BigNumContext::new().unwrap();
                if candidate.is_prime(20, &mut ctx).unwrap() {
                    return number;
                }
            }
        };
        let n = roca_prime(1000) * roca_prime(900_000);
        assert_eq!(weakness(&n), Some(Weakness::Roca));
        // Each remainder is a power, but no exponent fits all of them.
        let others = &m / 11u32;
        let mixed = (0u32..11).map(|times| &others * times + 65537u32);
        let mut mixed = mixed.filter(|n| remainder(n, 11) == (65537u64 * 65537 % 11) as u32);
        assert_eq!(mixed.next().map(|n| is_roca(&n)), Some(false));
        assert!(is_roca(&65537u32.into()));
    }

    #[test]
    fn shared_primes_are_found() {
        let primes: Vec<_> = (0..5).map(|_| prime(512)).collect();
        let moduli = [(0, 1), (2, 3), (1, 4), (0, 4)];
        let mut shared = SharedPrimes::default();
        let found = moduli.iter().enumerate().map(|(index, (p, q))| {
            let n = &primes[*p] * &primes[*q];
            (shared.add(index, &n.to_bytes_be()), shared.partners())
        });
        let found: Vec<_> = found.collect();
        let expected = [
            (false, vec![]),
            (false, vec![]),
            (true, vec![0]),
            (true, vec![0, 2]),
        ];
        assert_eq!(found, expected);
    }
}
