//! Limits the work of all checks in one run. A document can have thousands of private keys and
//! certificates, and OpenSSL is slow to check each of them.

use crate::key::check::Finding;
use crate::key::members::Members;
use crate::key::rsa::weakness::{self, Weakness};
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// The work of one run, in microseconds on a machine of 2024. It is enough for 10,000 key pairs on
/// P-256, 2,750 on Ed448, or 250 RSA keys of 2048 bits without primes.
const WORK: u64 = 500_000;

/// The work on the signatures of certificates, in the same unit. It is enough for 1,000 issuers on P-256.
const CHAINS_WORK: u64 = 500_000;

/// The work on moduli that anybody can factor, in the same unit. It is enough for 180 RSA keys of 2048 bits.
const WEAKNESS_WORK: u64 = 500_000;

/// The work on primes that moduli share. It is enough for a set of 300 RSA keys of 2048 bits.
const SHARED_PRIMES_WORK: u64 = 200_000;

/// The cost of parsing a certificate and its public key, in microseconds.
const PARSING: u64 = 75;

/// The least cost of a certificate, in microseconds.
const CERTIFICATE: u64 = 500;

/// The remaining work for checks in one run: of private keys and certificates, of chains, and of weak moduli. Each
/// has a budget of its own, so that none goes short.
///
/// When the budget is spent, keys are reported as unchecked. A key that is checked again costs
/// nothing and has the same findings.
#[derive(Debug)]
pub struct Budget {
    left: Cell<u64>,
    left_for_chains: Cell<u64>,
    left_for_weakness: Cell<u64>,
    left_for_shared_primes: Cell<u64>,
    /// The weaknesses of moduli, by the SHA-256 digest of the modulus.
    weaknesses: RefCell<HashMap<[u8; 32], Option<Weakness>>>,
    /// The findings of keys whose check has a cost, by the SHA-256 digest of the JSON text.
    known: RefCell<HashMap<[u8; 32], Vec<Finding>>>,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            left: Cell::new(WORK),
            left_for_chains: Cell::new(CHAINS_WORK),
            left_for_weakness: Cell::new(WEAKNESS_WORK),
            left_for_shared_primes: Cell::new(SHARED_PRIMES_WORK),
            weaknesses: RefCell::default(),
            known: RefCell::default(),
        }
    }
}

impl Budget {
    /// Creates an empty budget, which allows only checks without a cost.
    pub fn none() -> Self {
        Budget {
            left: Cell::new(0),
            left_for_chains: Cell::new(0),
            left_for_weakness: Cell::new(0),
            left_for_shared_primes: Cell::new(0),
            ..Budget::default()
        }
    }

    /// Subtracts a cost in microseconds. Returns false and subtracts nothing if the budget is too
    /// small.
    pub(in crate::key) fn spend(&self, cost: u64) -> bool {
        subtract(&self.left, cost)
    }

    /// Subtracts the cost of verifying a signature of a certificate. Returns false and subtracts nothing if the
    /// budget is too small.
    pub(in crate::key) fn spend_on_chain(&self, cost: u64) -> bool {
        subtract(&self.left_for_chains, cost)
    }

    /// Looks for the weakness of a modulus, or returns what was found before. `n` is big-endian. Returns `None` if
    /// the budget is too small.
    pub fn weakness(&self, n: &[u8]) -> Option<Option<Weakness>> {
        let digest = Sha256::digest(n).into();
        if let Some(known) = self.weaknesses.borrow().get(&digest) {
            return Some(*known);
        }
        let is_allowed = subtract(&self.left_for_weakness, weakness::cost(n));
        let found = is_allowed.then(|| weakness::find(n))?;
        self.weaknesses.borrow_mut().insert(digest, found);
        Some(found)
    }

    /// Subtracts the cost of comparing moduli. Returns false and subtracts nothing if the budget is too small.
    pub fn spend_on_shared_primes(&self, cost: u64) -> bool {
        subtract(&self.left_for_shared_primes, cost)
    }

    /// Subtracts the cost of parsing certificates. Returns false and subtracts nothing if the budget is
    /// too small.
    pub(in crate::key) fn spend_on_parsing(&self, certificates: usize) -> bool {
        self.spend(PARSING.saturating_mul(certificates as u64))
    }

    /// Subtracts the cost of signing a certificate with the key. Returns false and subtracts nothing if
    /// the budget is too small.
    pub fn spend_on_certificate(&self, members: &Members) -> bool {
        let modulus = members.string("n").unwrap_or_default();
        let kibibits = (modulus.len() as u64 * 6).div_ceil(1024);
        self.spend((100 * kibibits.pow(3)).max(CERTIFICATE))
    }

    /// Returns the cached findings of a kind for a JSON text, or calls `check`.
    pub(super) fn once(
        &self,
        kind: &str,
        text: &str,
        check: impl FnOnce() -> Vec<Finding>,
    ) -> Vec<Finding> {
        let digest = Sha256::new_with_prefix(kind).chain_update(text);
        let digest = digest.finalize().into();
        if let Some(known) = self.known.borrow().get(&digest) {
            return known.clone();
        }
        let before = self.left.get();
        let findings = check();
        if self.left.get() != before {
            let mut known = self.known.borrow_mut();
            known.insert(digest, findings.clone());
        }
        findings
    }
}

fn subtract(budget: &Cell<u64>, cost: u64) -> bool {
    let left = budget.get().checked_sub(cost);
    if let Some(left) = left {
        budget.set(left);
    }
    left.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::key::check::{Rule, findings};

    fn pair(kid: usize) -> Key<'static> {
        Key::from_json(format!(
            r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}}"#
        ))
    }

    #[test]
    fn keys_beyond_the_budget_are_reported_as_unchecked() {
        let budget = Budget {
            left: Cell::new(120),
            ..Budget::default()
        };
        let rules = |key| {
            let findings = findings(&key, &budget);
            findings.iter().map(|found| found.rule).collect::<Vec<_>>()
        };
        assert_eq!(rules(pair(0)), []);
        assert_eq!(rules(pair(1)), []);
        assert_eq!(rules(pair(2)), [Rule::PrivateUnchecked]);
        // What was checked stays checked, and costs nothing again.
        assert_eq!(rules(pair(0)), []);
        assert_eq!(budget.left.get(), 20);
        let public =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let public = Key::from_json(public);
        assert_eq!(rules(public), []);
    }

    #[test]
    fn another_budget_gives_the_same_findings() {
        let first = findings(&pair(0), &Budget::default());
        for _ in 0..3 {
            assert_eq!(findings(&pair(0), &Budget::default()), first);
        }
    }
}
