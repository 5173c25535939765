//! Checks RSA keys: modulus and exponent without OpenSSL, and the private numbers with it.

use crate::key::check::{Report, Rule, Values};
use crate::key::rsa::{self, EXPONENT_BITS};

/// Checks the modulus, the exponent, and which private numbers are present.
pub fn check_public(values: &Values, report: &mut Report) {
    if let Some(n) = values.get("n") {
        let bits = rsa::bit_length(n);
        if !rsa::MODULUS_BITS.contains(&bits) {
            let (least, most) = rsa::MODULUS_BITS.into_inner();
            let message = format!("n has {bits} bits, not {least} to {most}");
            report.add(Rule::RsaModulusSize, message);
        }
        if n.last().is_some_and(|octet| octet % 2 == 0) {
            report.add(Rule::RsaModulusEven, "n is even");
        }
    }
    if let Some(e) = values.get("e") {
        let bits = rsa::bit_length(e);
        if bits > EXPONENT_BITS {
            report.add(
                Rule::RsaExponent,
                format!("e has {bits} bits, more than {EXPONENT_BITS}"),
            );
        } else if bits < 2 || e.last().is_some_and(|octet| octet % 2 == 0) {
            report.add(Rule::RsaExponent, "e is even or below 3");
        } else if bits < 17 {
            report.add(Rule::RsaExponentSmall, "e is below 65537");
        }
    }
    let has_private = values.contains_key("d");
    let there: Vec<_> = rsa::CRT
        .into_iter()
        .filter(|name| values.contains_key(name))
        .collect();
    if there.is_empty() && has_private {
        report.add(Rule::RsaPrimesMissing, "p, q, dp, dq and qi are missing");
    } else if !there.is_empty() && !has_private {
        report.add(Rule::RsaPrivateIncomplete, "d is missing");
    } else if there == ["p", "q"] {
        report.add(Rule::RsaCrtMissing, "dp, dq and qi are missing");
    } else if !there.is_empty() && there.len() < rsa::CRT.len() {
        let message = "some of p, q, dp, dq and qi are missing";
        report.add(Rule::RsaPrivateIncomplete, message);
    }
}

/// Checks that the private numbers belong to the public ones. The public part must have passed
/// [`check_public`].
pub fn check_private(values: &Values, report: &mut Report) {
    let Some(d) = values.get("d") else {
        return;
    };
    let (Some(n), Some(e)) = (values.get("n"), values.get("e")) else {
        return;
    };
    let verdict = match crt_of(values) {
        Some(crt) => rsa::find_mismatch(n, e, d, crt),
        None => {
            rsa::recover(n, e, d).map(|found| match (found, values.get("p"), values.get("q")) {
                (None, ..) => Some("d does not invert e"),
                (Some([a, b, ..]), Some(p), Some(q))
                    if [&**p, &**q] != [&a, &b] && [&**q, &**p] != [&a, &b] =>
                {
                    Some("p and q are not the factors of n")
                }
                _ => None,
            })
        }
    };
    match verdict {
        Ok(None) => {}
        Ok(Some(what)) => report.add(Rule::PrivateMismatch, what),
        Err(_) => report.add(
            Rule::PrivateMismatch,
            "OpenSSL cannot compute with the private numbers",
        ),
    }
}

/// Returns the cost of [`check_private`] in microseconds. If the primes are missing, computing
/// them from d takes modular exponentiations.
pub fn private_cost(values: &Values) -> u64 {
    let (Some(n), true) = (values.get("n"), values.contains_key("d")) else {
        return 0;
    };
    match crt_of(values) {
        Some(_) => 5 * (n.len() as u64 * 8).div_ceil(1024).pow(2),
        None => rsa::recovery_cost(n),
    }
}

/// Returns p, q, dp, dq and qi if all are present.
fn crt_of(values: &Values) -> Option<[&Vec<u8>; 5]> {
    let [p, q, dp, dq, qi] = rsa::CRT.map(|name| values.get(name));
    Some([p?, q?, dp?, dq?, qi?])
}
