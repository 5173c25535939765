//! What the options of an export mean, and which of them fit together.

use crate::args::layout::Which;
use crate::commands::export::ExportArgs;
use crate::commands::export::format::{ENCRYPTED, To};
use crate::commands::shared::output_file::{OutputFile, Replaces};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::discovery;
use crate::keyset::import::Form;
use crate::keyset::lifecycle::line_name;
use crate::layout::{Order, Write, arranged};
use crate::remote::kind::published::site::check_issuer_address;
use crate::remote::location::parse_address;
use crate::secret::Secret;
use crate::source::target::{Source, Target};
use std::path::Path;

impl ExportArgs {
    /// Returns an error for options that do not fit the format or the target.
    pub(super) fn check(&self, ctx: &Context) -> Result<()> {
        let target = Target::of(ctx, &self.target)?;
        let is_document = matches!(target, Target::Document(_));
        if self.input_password_file.is_some() && !is_document {
            return Err(
                Error::usage("--input-password-file is for a file, an address or -")
                    .hint("give the passphrase of a set with --passphrase-file"),
            );
        }
        if self.repair
            && let Target::Set(name) = &target
        {
            return Err(
                Error::usage("--repair is for a file, an address, a remote or -")
                    .hint(format!("run `jwks set {name} --repair` to repair the set")),
            );
        }
        let to = self.to();
        // It can be the password of the file that is read.
        let is_read = is_document && self.input_password_file.is_none();
        let is_password = self.password.is_given() && !is_read;
        for (given, option, forms) in [
            (self.encrypt, "--encrypt", ENCRYPTED),
            (is_password, "--password-file", ENCRYPTED),
            (self.iterations.are_given(), "--p2c", &[To::Jwe]),
            (self.alias.is_some(), "--alias", &[To::Pkcs12]),
            (
                self.certificate.are_given(),
                "--subject and --days",
                &[To::X509, To::Pkcs12],
            ),
            (
                self.name.is_some(),
                "--name",
                &[To::Dotenv, To::DotenvPem, To::Kubernetes],
            ),
            (
                self.issuer.is_some() || self.jwks_uri.is_some(),
                "--issuer and --jwks-uri",
                &[To::Discovery],
            ),
            (
                self.keep_members,
                "--keep-members",
                &[To::Jwks, To::Jwk, To::Dotenv, To::Kubernetes],
            ),
        ] {
            if given && !forms.contains(&to) {
                let forms: Vec<_> = forms.iter().map(|form| form.name()).collect();
                let to = to.name();
                return Err(
                    Error::usage(format!("--to {to} cannot be used with {option}"))
                        .hint(format!("use {option} with --to {}", forms.join(", "))),
                );
            }
        }
        if to == To::Discovery && self.issuer.is_none() {
            return Err(Error::usage("--to discovery requires --issuer")
                .hint("pass --issuer URL; it must match the iss of the tokens exactly"));
        }
        let is_mixed = self.private == Some(Which::Active);
        if is_mixed && !(to.is_json() || matches!(to, To::Pem | To::DotenvPem)) {
            let to = to.name();
            return Err(
                Error::usage(format!("--to {to} cannot be used with --private=active"))
                    .hint("pass --private --state active for the private keys that sign"),
            );
        }
        if (self.encrypt || is_password) && !self.is_private() {
            return Err(
                Error::usage("--encrypt and --password-file require --private")
                    .hint("add --private"),
            );
        }
        Ok(())
    }

    /// Returns the format, also that of a layout which is a keystore.
    pub(super) fn to(&self) -> To {
        match self.layout.as_ref().map(|layout| layout.0.write) {
            Some(Write::Pkcs12) => To::Pkcs12,
            _ => self.to,
        }
    }

    /// Returns true if the export is one JWK, and not a set.
    pub(super) fn is_one_jwk(&self) -> bool {
        match self.to {
            To::Dotenv | To::Kubernetes | To::Jwe => self.kid.is_some(),
            to => to == To::Jwk,
        }
    }

    /// Returns the password for a private export; `None` if the export is not encrypted. PKCS#12 and
    /// JWE ask for their password later, so it is `None` for them, too.
    pub(super) fn encryption(&self, ctx: &Context) -> Result<Option<Secret<String>>> {
        let wanted = self.encrypt || self.password.is_given();
        let wanted = wanted && matches!(self.to(), To::Pem | To::Der | To::Openssh);
        wanted.then(|| self.new_password(ctx)).transpose()
    }

    /// Returns the password for the file that is written. Asks for it if there is no password file.
    pub(super) fn new_password(&self, ctx: &Context) -> Result<Secret<String>> {
        let form = match self.to() {
            To::Pkcs12 => "PKCS#12 file",
            To::Openssh => "OpenSSH key file",
            To::Jwe => "JWE",
            To::Jwks
            | To::Jwk
            | To::Pem
            | To::Der
            | To::Pkcs1
            | To::Pkcs1Der
            | To::Sec1
            | To::Sec1Der
            | To::X509
            | To::Dotenv
            | To::DotenvPem
            | To::Discovery
            | To::Kubernetes => "private key file",
        };
        let what = match self.file() {
            Some(file) => format!("the {form} {}", file.display()),
            None => format!("the {form}"),
        };
        self.password.new_one(ctx, &what)
    }

    /// Returns the file to write; `None` for standard output.
    pub(super) fn file(&self) -> Option<&Path> {
        self.output
            .as_deref()
            .filter(|path| path.as_os_str() != "-")
    }

    /// Describes the export for the log: its format, and its file if there is one.
    pub(super) fn description(&self, form: &str) -> String {
        match self.file() {
            Some(file) => format!("{form}: {}", file.display()),
            None => form.to_owned(),
        }
    }

    /// Returns true if the export holds private keys.
    pub(super) fn is_private(&self) -> bool {
        self.private.is_some() || self.layout.as_ref().is_some_and(|it| it.0.is_private())
    }

    /// Returns the file to write; `None` for standard output.
    pub(super) fn output_file(&self) -> Option<OutputFile<'_>> {
        Some(OutputFile {
            path: self.file()?,
            is_private: self.is_private(),
            replaces: match self.to {
                _ if self.force => Replaces::Any,
                To::Openssh => Replaces::Public(Some(Form::Openssh)),
                To::Kubernetes => Replaces::Public(Some(Form::Kubernetes)),
                To::Jwks
                | To::Jwk
                | To::Pem
                | To::Der
                | To::Pkcs1
                | To::Pkcs1Der
                | To::Sec1
                | To::Sec1Der
                | To::Pkcs12
                | To::X509
                | To::Dotenv
                | To::DotenvPem
                | To::Discovery
                | To::Jwe => Replaces::Public(None),
            },
        })
    }

    /// Returns true if the options choose or arrange keys by their states.
    pub(super) fn chooses(&self) -> bool {
        self.line.is_some() || !self.states.is_empty() || self.order != Order::Set
    }

    /// Returns those of the positions that the options choose, in their order. Returns an error if there
    /// are none.
    pub(super) fn chosen(
        &self,
        ctx: &Context,
        source: &Source,
        set: &KeySet,
        mut positions: Vec<usize>,
    ) -> Result<Vec<usize>> {
        let states = source.states(set, ctx.now);
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        positions.retain(|i| {
            let is_of_line = |line: &String| line_name(&headers[*i]) == line;
            let is_in = |state| self.states.contains(&state);
            self.line.as_ref().is_none_or(is_of_line)
                && (self.states.is_empty() || states[*i].is_some_and(is_in))
        });
        if positions.is_empty() {
            return Err(Error::not_found(format!(
                "no key of {} matches --state or --line",
                source.title
            ))
            .hint("run `jwks list` to see the states and lines of the keys"));
        }
        Ok(arranged(positions, &states, self.order))
    }

    /// Returns the discovery document of the issuer for the published keys.
    pub(super) fn discovery_document(&self, keys: &KeySet) -> Result<Secret<Vec<u8>>> {
        let issuer = self.issuer.as_deref().unwrap_or_default();
        check_issuer_address(issuer)?;
        let usual = || format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'));
        let jwks_uri = self.jwks_uri.clone().unwrap_or_else(usual);
        parse_address(&jwks_uri).map_err(|error| error.about("--jwks-uri"))?;
        let algorithms = discovery::algorithms(keys);
        let text = discovery::document(issuer, &jwks_uri, &algorithms, None)?;
        Ok(Secret::new(text.into_bytes()))
    }
}
