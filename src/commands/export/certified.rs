//! Exports with certificates: self-signed certificates as PEM, and PKCS#12 files.

use crate::commands::export::ExportArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::certificate::Certificate;
use crate::key::members::Members;
use crate::key::write;
use crate::key::write::self_signed::can_sign;
use crate::keyset::key_name::named;
use crate::secret::Secret;
use crate::source::target::Source;
use std::borrow::Cow;

/// Returns a self-signed certificate for each key, as PEM. Returns an error if a key cannot sign, or if
/// there are no keys.
pub(super) fn certificates<'k>(
    ctx: &Context,
    args: &ExportArgs,
    source: &Source,
    keys: &[&'k Key<'k>],
) -> Result<Secret<Vec<u8>>> {
    let maker = args.certificate.maker(ctx, &source.stem())?;
    let is_within_budget = |key: &&Key| {
        let members = key.members().unwrap_or_default();
        ctx.checks.spend_on_certificate(&members)
    };
    if keys.len() > 1 && !keys.iter().all(is_within_budget) {
        let message = format!("{} has too many keys to certify at once", source.title);
        return Err(Error::refused(message).hint("pass the KID of the key to certify"));
    }
    let mut pem = String::new();
    for key in keys {
        let members = key.members().unwrap_or_default();
        let name = named(members.string("kid").as_deref());
        if !can_sign(&members) {
            let message = format!("{name} cannot sign a certificate");
            return Err(
                Error::refused(message).hint("name an RSA or EC key, or a key on Ed25519 or Ed448")
            );
        }
        maker.warn_of_days(ctx, &members);
        let certificate = maker.certify(&members);
        let certificate = certificate.map_err(|error| error.about(name))?;
        pem.push_str(&certificate.to_pem());
    }
    if pem.is_empty() {
        return Err(Error::refused(format!(
            "no key to certify in {}",
            source.title
        )));
    }
    Ok(Secret::new(pem.into_bytes()))
}

/// Returns a private key with its certificates as PKCS#12. A key without a certificate gets a
/// self-signed one if it can sign, because most Java programs do not read a key without a certificate.
pub(super) fn pkcs12(
    ctx: &Context,
    args: &ExportArgs,
    source: &Source,
    members: &Members,
) -> Result<Secret<Vec<u8>>> {
    let kid = members
        .string("kid")
        .map_or_else(|| source.stem(), Cow::into_owned);
    let mut chain = Certificate::chain_of(members);
    if !chain.is_empty() && args.certificate.are_given() {
        return Err(
            Error::refused(format!("key {kid:?} already has a certificate"))
                .hint("leave out --subject and --days"),
        );
    }
    let mut note = None;
    if chain.is_empty() && can_sign(members) {
        let maker = args.certificate.maker(ctx, &source.stem())?;
        maker.warn_of_days(ctx, members);
        chain.push(maker.certify(members)?);
        note = Some(format!(
            "key {kid:?} has no certificate (x5c): added a self-signed one"
        ));
    }
    let alias = args.alias.as_deref().unwrap_or(&kid);
    write::check_pkcs12(members, alias)?;
    let password = args.new_password(ctx)?;
    let document = write::pkcs12(members, &chain, alias, &password)?;
    match note {
        Some(note) => ctx.out.status(note),
        None if chain.is_empty() => ctx.out.warn(format!(
            "key {kid:?} cannot sign a certificate; some programs do not read a file without one"
        )),
        None => {}
    }
    if !password.expose().is_ascii() {
        ctx.out
            .warn("the password is not ASCII: Java cannot open the file");
    }
    Ok(Secret::new(document.der().to_vec()))
}
