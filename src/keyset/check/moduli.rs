//! Finds RSA keys that anybody can factor. Only the checks of whole sets look for them, because it takes
//! milliseconds for each key.

use crate::key::Key;
use crate::key::base64url;
use crate::key::check::{Budget, Finding, Rule};
use crate::key::members::Members;
use crate::key::rsa::weakness::{SharedPrimes, Weakness};
use crate::key::rsa::{MODULUS_BITS, bit_length};
use crate::keyset::KeySet;
use std::collections::HashSet;

/// Returns the findings about the moduli of a set, with the index of the key; `None` if a finding concerns the
/// whole set.
pub fn findings(set: &KeySet, budget: &Budget) -> Vec<(Option<usize>, Finding)> {
    let keys = set.keys.iter().enumerate();
    let moduli = keys.filter_map(|(index, key)| {
        // Searching the text is cheaper than parsing it. `RSA` can be written with escapes.
        let is_rsa = key.json().contains("RSA") || key.json().contains("\\u");
        let members = is_rsa.then(|| key.members().ok()).flatten()?;
        Some((index, modulus(&members)?))
    });
    let mut moduli: Vec<(usize, Vec<u8>)> = moduli.collect();
    let mut unchecked = 0;
    let mut found = Vec::new();
    for (index, n) in &moduli {
        match budget.weakness(n) {
            Some(weakness) => {
                found.extend(weakness.map(|weakness| (Some(*index), finding(weakness))));
            }
            None => unchecked += 1,
        }
    }
    let mut seen = HashSet::new();
    moduli.retain(|(_, n)| seen.insert(n.clone()));
    let uncompared = compare(&moduli, budget, &mut found);
    if unchecked > 0 || uncompared > 0 {
        let number = unchecked.max(uncompared);
        let message = format!("RSA keys that were not checked for weak moduli: {number}");
        found.push((None, Finding::new(Rule::RsaUnchecked, message)));
    }
    found
}

/// Returns true if anybody can factor the modulus of a key. Returns false for a key that the budget does not allow
/// to check.
pub fn is_factorable(key: &Key, budget: &Budget) -> bool {
    let modulus = key.members().ok().and_then(|members| modulus(&members));
    modulus.is_some_and(|n| budget.weakness(&n).flatten().is_some())
}

/// Finds the moduli that share a prime. Returns the number of those that were not compared.
fn compare(
    moduli: &[(usize, Vec<u8>)],
    budget: &Budget,
    found: &mut Vec<(Option<usize>, Finding)>,
) -> usize {
    let mut shared = SharedPrimes::default();
    for (compared, (index, n)) in moduli.iter().enumerate() {
        if !budget.spend_on_shared_primes(shared.cost(n)) {
            return moduli.len() - compared;
        }
        if !shared.add(*index, n) {
            continue;
        }
        let mut partners = Vec::new();
        if budget.spend_on_shared_primes(shared.partners_cost(n)) {
            partners = shared.partners();
        }
        let finding = |of: String| {
            let message = format!("n has a common prime with the n of {of}");
            Finding::new(Rule::RsaSharedPrime, message)
        };
        let first = partners.first();
        let first = first.map_or("another key".into(), |first| format!("key {first}"));
        found.push((Some(*index), finding(first)));
        let partners = partners.into_iter();
        found.extend(partners.map(|partner| (Some(partner), finding(format!("key {index}")))));
    }
    0
}

/// Returns the modulus of an RSA key; `None` if it has an error of its own.
fn modulus(members: &Members) -> Option<Vec<u8>> {
    if members.string("kty")? != "RSA" {
        return None;
    }
    let n = base64url::decode(&members.string("n")?).ok()?;
    let is_odd = n.last()? % 2 == 1;
    (is_odd && MODULUS_BITS.contains(&bit_length(&n))).then_some(n)
}

fn finding(weakness: Weakness) -> Finding {
    let (rule, message) = match weakness {
        Weakness::Roca => (Rule::RsaRoca, "n has the form of ROCA keys".into()),
        Weakness::SmallFactor(factor) => {
            (Rule::RsaSmallFactor, format!("n is divisible by {factor}"))
        }
        Weakness::Power(2) => (Rule::RsaPower, "n is a square".into()),
        Weakness::Power(exponent) => (
            Rule::RsaPower,
            format!("n is a power with the exponent {exponent}"),
        ),
        Weakness::ClosePrimes => (
            Rule::RsaClosePrimes,
            "the primes of n are close together".into(),
        ),
        Weakness::Prime => (Rule::RsaPrime, "n is prime".into()),
    };
    Finding::new(rule, message)
}
