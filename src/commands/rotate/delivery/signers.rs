//! Writes the files of signers.

use crate::commands::rotate::delivery::Delivery;
use crate::commands::rotate::failures::Failures;
use crate::commands::rotate::report::RotationReport;
use crate::commands::rotate::target_file::{TargetFile, entries, private_keys, signing_keys};
use crate::error::Result;
use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::key_name::{KeyName, material_of};
use crate::keyset::rotate::is_revoked;
use crate::report::log_entry::Record;
use crate::report::names::SetLabel;
use std::collections::BTreeSet;

impl Delivery<'_> {
    /// Writes the files of signers. A file is not written if a verifier lacks a new key that would sign.
    pub fn write_signers(
        &self,
        set: &KeySet,
        report: &mut RotationReport,
        failures: &mut Failures,
    ) -> Result<()> {
        for file in &self.signers {
            let id = file.id.clone();
            let written = file.choose(self.ctx, set, &[]).and_then(|chosen| {
                let (signing, keys) = (signing_keys(set, &chosen), private_keys(set, &chosen));
                let before = self.ledger.target(&id);
                // A signer of a compromised key waits for nobody.
                let is_bad = |i: &usize| is_revoked(&set.keys[*i]);
                let bad = entries(set, (0..set.keys.len()).filter(is_bad));
                if before.signing.is_disjoint(&bad) {
                    failures.hold_back(signing.difference(&before.signing))?;
                }
                if self.waits(set, &signing, &before.signing) {
                    report.hold_file(self.ctx, &file.path);
                    return Ok(None);
                }
                let content = file.content(self.ctx, set, &chosen, &[])?;
                if !file.is_written(&content) {
                    // If this run is killed, the file has the keys from before or the new ones.
                    self.ledger.edit(|known| {
                        let target = known.targets.entry(id.clone()).or_default();
                        target.signing.extend(signing.iter().cloned());
                        target.keys.extend(keys.iter().cloned());
                    });
                    self.arm()?;
                    let written = file.write(self.ctx, set, &content, &before.keys);
                    if written.is_err() && !file.is_written(&content) {
                        self.ledger.edit(|known| {
                            known.targets.insert(id.clone(), before.clone());
                        });
                    }
                    written?;
                    self.record(set, file, &keys);
                    report.add_file(self.ctx, &file.path);
                    for warning in &content.warnings {
                        self.ctx.out.warn(format!("{}: {warning}", self.name));
                    }
                }
                let until = self.ctx.now.saturating_add(self.grace);
                self.ledger.edit(|known| {
                    for entry in before.signing.difference(&signing) {
                        known.signed.insert(material_of(entry).to_owned(), until);
                    }
                    let target = known.targets.entry(id.clone()).or_default();
                    target.signing = signing;
                });
                Ok(Some(keys))
            });
            // A file that waits has failed no more, and has got nothing.
            let settled = written.transpose();
            if let Some(result) = &settled {
                self.ledger.settle(&id, result);
            }
            if let Some(Err(error)) = settled {
                failures.add(file.about(error));
            }
        }
        self.ledger.save()
    }

    /// Returns true if a signer has to wait for a published address before it gets a new key. It does not
    /// wait if its own keys are compromised or gone.
    pub(super) fn waits(
        &self,
        set: &KeySet,
        new: &BTreeSet<String>,
        old: &BTreeSet<String>,
    ) -> bool {
        let Some(publication) = &self.publication else {
            return false;
        };
        let (delay, now) = (self.publish_delay, self.ctx.now);
        // Symmetric keys are not published.
        let is_seen = |i: &usize| {
            let name = KeyName::of(&set.keys[*i]);
            name.is_symmetric || publication.confirms(&name, delay, now)
        };
        let is_usable = |i: &usize| {
            let key = &set.keys[*i];
            Header::of(key).exp.is_none_or(|end| end > now) && !is_revoked(key)
        };
        let all = 0..set.keys.len();
        let seen = entries(set, all.clone().filter(is_seen));
        let usable = entries(set, all.filter(is_usable));
        let is_new_unseen = new.difference(old).any(|entry| !seen.contains(entry));
        // A key that got another kid still signs.
        let usable: BTreeSet<_> = usable.iter().map(|entry| material_of(entry)).collect();
        let is_usable = |entry: &String| usable.contains(material_of(entry));
        is_new_unseen && !old.is_empty() && old.iter().all(is_usable)
    }

    /// Logs that private keys were exported.
    fn record(&self, set: &KeySet, file: &TargetFile, keys: &BTreeSet<String>) {
        let is_written = |key: &&Key| {
            let entry = KeyName::of(key).entry();
            holds_secret(key) && entry.is_some_and(|entry| keys.contains(&entry))
        };
        let keys: Vec<_> = set.keys.iter().filter(is_written).collect();
        let note = format!("{}: {}", file.layout.name, file.path.display());
        Record::of(self.ctx, SetLabel::local(self.name.as_str()))
            .exported(Some(&note), &keys)
            .append();
    }
}
