//! The formats of an export that contain a JSON document: dotenv, Kubernetes and JWE.

use crate::commands::export::ExportArgs;
use crate::commands::export::format::To;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::jwe::{self, DerivedKeys};
use crate::key::members::Members;
use crate::layout::deployment;
use crate::secret::Secret;
use crate::source::target::Source;

/// Returns a JSON document unchanged, or in the format that contains it: dotenv, Kubernetes or JWE.
pub(super) fn in_json_form(
    ctx: &Context,
    args: &ExportArgs,
    source: &Source,
    json: &Secret<String>,
) -> Result<Secret<Vec<u8>>> {
    let json = json.expose();
    let (variable, file) = if args.is_one_jwk() {
        ("JWK", "jwk.json")
    } else {
        ("JWKS", "jwks.json")
    };
    let or = |default| args.name.as_deref().unwrap_or(default);
    let text = match args.to {
        To::Dotenv => deployment::dotenv(or(variable), json)?,
        To::Kubernetes if args.is_private() => {
            Secret::new(deployment::secret(or(&source.stem()), file, json)?)
        }
        To::Kubernetes => Secret::new(deployment::config_map(or(&source.stem()), file, json)?),
        To::Jwe => Secret::new(sealed(ctx, args, json)?),
        To::Jwks | To::Jwk => Secret::new(json.clone()),
        To::Pem
        | To::Der
        | To::Pkcs1
        | To::Pkcs1Der
        | To::Sec1
        | To::Sec1Der
        | To::Pkcs12
        | To::Openssh
        | To::DotenvPem
        | To::Discovery
        | To::X509 => {
            let to = args.to.name();
            return Err(Error::usage(format!("--to {to} does not hold JSON")));
        }
    };
    Ok(Secret::new(text.expose().as_bytes().to_vec()))
}

/// Encrypts a JSON document with a password, as a JWE in the compact form (RFC 7517 section 7).
fn sealed(ctx: &Context, args: &ExportArgs, json: &str) -> Result<String> {
    let iterations = args.iterations.get(ctx, "password");
    let password = args.new_password(ctx)?;
    let content_type = if args.is_one_jwk() {
        "jwk+json"
    } else {
        "jwk-set+json"
    };
    let mut header = Members::default();
    header.set_text("cty", content_type);
    let mut derived = DerivedKeys::default();
    // There is no line feed at the end, because some JWE parsers reject it.
    jwe::seal(
        json.as_bytes(),
        &password,
        iterations,
        &header,
        &mut derived,
    )
}
