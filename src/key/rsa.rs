//! The relations between the numbers of an RSA key, and the recovery of missing primes. All numbers
//! are big-endian.
//!
//! The arithmetic uses OpenSSL's big numbers. OpenSSL's own key check is a thousand times slower,
//! because it tests the primes again.

pub mod weakness;

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;

/// The range of modulus sizes in bits: the minimum of RFC 7518 section 3.3 and the maximum of
/// OpenSSL.
pub const MODULUS_BITS: std::ops::RangeInclusive<u32> = 2048..=16384;

/// The largest public exponent in bits. Longer ones make verifiers slow.
pub const EXPONENT_BITS: u32 = 256;

/// The members besides `d` that must all be present or all be absent (RFC 7518 section 6.3.2).
pub const CRT: [&str; 5] = ["p", "q", "dp", "dq", "qi"];

/// Returns the length in bits of a big-endian unsigned integer.
pub fn bit_length(octets: &[u8]) -> u32 {
    match octets.iter().position(|octet| *octet != 0) {
        Some(start) => {
            let rest = &octets[start..];
            rest.len() as u32 * 8 - rest[0].leading_zeros()
        }
        None => 0,
    }
}

/// Describes the first relation of RFC 8017 section 3.2 that does not hold; `None` if all hold. `crt`
/// has the numbers of [`CRT`], and all numbers are big-endian.
pub fn find_mismatch(
    n: &[u8],
    e: &[u8],
    d: &[u8],
    [p, q, dp, dq, qi]: [&Vec<u8>; 5],
) -> Result<Option<&'static str>, ErrorStack> {
    // Longer numbers are wrong and would cost time.
    if [d, p, q, dp, dq, qi]
        .iter()
        .any(|number| number.len() > n.len())
    {
        return Ok(Some("a private number is longer than n"));
    }
    let mut ctx = BigNumContext::new()?;
    let number = |octets: &[u8]| BigNum::from_slice(octets);
    let (n, e, d) = (number(n)?, number(e)?, number(d)?);
    let (p, q, dp, dq, qi) = (
        number(p)?,
        number(q)?,
        number(dp)?,
        number(dq)?,
        number(qi)?,
    );
    let one = BigNum::from_u32(1)?;
    let mut product = BigNum::new()?;
    product.checked_mul(&p, &q, &mut ctx)?;
    if product != n || p <= one || q <= one {
        return Ok(Some("p and q are not the factors of n"));
    }
    for (prime, exponent, what) in [
        (&p, &dp, "d, e and dp do not belong to p"),
        (&q, &dq, "d, e and dq do not belong to q"),
    ] {
        let order = one_less(prime)?;
        let (mut inverse, mut reduced) = (BigNum::new()?, BigNum::new()?);
        inverse.mod_mul(&d, &e, &order, &mut ctx)?;
        reduced.checked_rem(&d, &order, &mut ctx)?;
        if inverse != one || &reduced != exponent {
            return Ok(Some(what));
        }
    }
    let mut inverse = BigNum::new()?;
    inverse.mod_mul(&qi, &q, &p, &mut ctx)?;
    if inverse != one || qi >= p {
        return Ok(Some("qi is not the inverse of q"));
    }
    Ok(None)
}

fn one_less(number: &BigNumRef) -> Result<BigNum, ErrorStack> {
    let mut less = number.to_owned()?;
    less.sub_word(1)?;
    Ok(less)
}

/// The numbers p, q, dp, dq and qi in the order of [`CRT`], big-endian.
pub type Crt = [Vec<u8>; 5];

/// Computes the primes of `n` from `e` and `d`, and the other numbers that a JWK can leave out
/// (NIST SP 800-56B appendix C.1). Returns `None` if `d` does not invert `e`. All numbers are
/// big-endian.
pub fn recover(n: &[u8], e: &[u8], d: &[u8]) -> Result<Option<Crt>, ErrorStack> {
    if d.len() > n.len() {
        return Ok(None);
    }
    let mut ctx = BigNumContext::new()?;
    let (n, e, d) = (
        BigNum::from_slice(n)?,
        BigNum::from_slice(e)?,
        BigNum::from_slice(d)?,
    );
    let Some(p) = find_prime(&n, &e, &d, &mut ctx)? else {
        return Ok(None);
    };
    let mut q = BigNum::new()?;
    q.checked_div(&n, &p, &mut ctx)?;
    let (p, q) = if p < q { (q, p) } else { (p, q) };
    let mut qi = BigNum::new()?;
    qi.mod_inverse(&q, &p, &mut ctx)?;
    let (d, p, q) = (d.to_vec(), p.to_vec(), q.to_vec());
    let [dp, dq] = [exponent(&d, &p)?, exponent(&d, &q)?];
    let crt = [p, q, dp, dq, qi.to_vec()];
    let given = [&crt[0], &crt[1], &crt[2], &crt[3], &crt[4]];
    let mismatch = find_mismatch(&n.to_vec(), &e.to_vec(), &d, given)?;
    Ok(mismatch.is_none().then_some(crt))
}

/// Computes the missing ones of the numbers of [`CRT`]. Returns `None` if `d` does not invert `e`, or if a
/// given number is wrong. All numbers are big-endian.
pub fn complete(
    n: &[u8],
    e: &[u8],
    d: &[u8],
    given: [Option<&[u8]>; 5],
) -> Result<Option<Crt>, ErrorStack> {
    let fits = |crt: &Crt| {
        let mut pairs = given.iter().zip(crt);
        pairs.all(|(given, number)| given.is_none_or(|given| given == number))
    };
    let Some(crt) = recover(n, e, d)? else {
        return Ok(None);
    };
    if fits(&crt) {
        return Ok(Some(crt));
    }
    // The given numbers can have the smaller prime first.
    let [p, q, dp, dq, _] = crt;
    let (mut qi, mut ctx) = (BigNum::new()?, BigNumContext::new()?);
    let (large, small) = (BigNum::from_slice(&p)?, BigNum::from_slice(&q)?);
    qi.mod_inverse(&large, &small, &mut ctx)?;
    let crt = [q, p, dq, dp, qi.to_vec()];
    Ok(Some(crt).filter(fits))
}

/// Returns the cost of computing the primes of a modulus from `e` and `d`, in microseconds on a machine
/// of 2024. It takes modular exponentiations.
pub fn recovery_cost(n: &[u8]) -> u64 {
    250 * (n.len() as u64 * 8).div_ceil(1024).pow(3)
}

/// Computes `d` modulo the prime minus one, such as `dp`. All numbers are big-endian.
pub fn exponent(d: &[u8], prime: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let order = one_less(BigNum::from_slice(prime)?.as_ref())?;
    let mut exponent = BigNum::new()?;
    let (d, mut ctx) = (BigNum::from_slice(d)?, BigNumContext::new()?);
    exponent.checked_rem(&d, &order, &mut ctx)?;
    Ok(exponent.to_vec())
}

fn find_prime(
    n: &BigNumRef,
    e: &BigNumRef,
    d: &BigNumRef,
    ctx: &mut BigNumContext,
) -> Result<Option<BigNum>, ErrorStack> {
    let one = BigNum::from_u32(1)?;
    let mut multiple = BigNum::new()?;
    multiple.checked_mul(d, e, ctx)?;
    multiple.sub_word(1)?;
    if multiple.num_bits() == 0 || multiple.is_odd() {
        return Ok(None);
    }
    let mut twos = 0;
    while !multiple.is_bit_set(twos) {
        twos += 1;
    }
    let mut odd = BigNum::new()?;
    odd.rshift(&multiple, twos)?;
    let last = one_less(n)?;
    // Each base finds the primes with a probability of at least one half.
    for base in [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53] {
        let mut power = BigNum::new()?;
        power.mod_exp(BigNum::from_u32(base)?.as_ref(), &odd, n, ctx)?;
        let mut is_one = power == one || power == last;
        for _ in 0..twos {
            if is_one {
                break;
            }
            let mut square = BigNum::new()?;
            square.mod_sqr(&power, n, ctx)?;
            if square == one {
                power.sub_word(1)?;
                let mut prime = BigNum::new()?;
                prime.gcd(&power, n, ctx)?;
                return Ok((prime > one && *prime < *n).then_some(prime));
            }
            is_one = square == last;
            power = square;
        }
        if !is_one {
            // The base to the power d·e - 1 is not 1, so `d` does not invert `e`.
            return Ok(None);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::rsa::Rsa;

    #[test]
    fn the_primes_are_recovered_from_n_e_and_d() {
        let key = Rsa::generate(2048).unwrap();
        let (n, e, d) = (key.n().to_vec(), key.e().to_vec(), key.d().to_vec());
        let [p, q, dp, dq, qi] = recover(&n, &e, &d).unwrap().unwrap();
        let mut found = [p, q];
        found.sort();
        let mut expected = [key.p().unwrap().to_vec(), key.q().unwrap().to_vec()];
        expected.sort();
        assert_eq!(found, expected);
        assert!(!dp.is_empty() && !dq.is_empty() && !qi.is_empty());
        let mut wrong = d.clone();
        wrong[100] ^= 4;
        assert_eq!(recover(&n, &e, &wrong).unwrap(), None);
    }

    #[test]
    fn bits_are_counted_from_the_first_set_one() {
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[1, 0, 1]), 17);
        assert_eq!(bit_length(&[0, 0x80]), 8);
    }
}
