//! Generates new keys.

mod material;

use crate::error::{Error, Result};
use crate::key::algorithm::{Algorithm, Takes, Use};
use crate::key::curve::{CURVES, Curve, Form};
use crate::key::members::Members;
use crate::key::rsa::MODULUS_BITS;
use crate::nearest::unknown;
use material::Material;

/// The default RSA modulus in bits.
const RSA_BITS: u32 = 2048;

/// The sizes in bits of a symmetric key without an algorithm. josekit generates no larger keys.
const OCT_BITS: std::ops::RangeInclusive<u32> = 128..=2040;

/// The options of `create`. The others decide the values of those that are `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The algorithm's name.
    pub alg: Option<&'a str>,
    /// The key type.
    pub kty: Option<&'a str>,
    /// The curve's name.
    pub crv: Option<&'a str>,
    /// The size in bits.
    pub size: Option<u32>,
    /// `sig` or `enc`.
    pub usage: Option<&'a str>,
}

/// The complete description of a key to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The value of `alg`, if the key gets one.
    pub alg: Option<&'static Algorithm>,
    /// The value of `use`, if the key gets one.
    pub usage: Option<Use>,
    material: Material,
}

impl Plan {
    /// Chooses the values that a request leaves open. The default is an ES256 key, or an ECDH-ES
    /// key for use `enc`. Returns a usage error if the options contradict each other.
    pub fn new(request: Request) -> Result<Plan> {
        let mut alg = request.alg.map(algorithm).transpose()?;
        let crv = request.crv.map(curve).transpose()?;
        let nothing_said = request.kty.is_none() && crv.is_none() && request.size.is_none();
        if alg.is_none() && nothing_said {
            alg = Algorithm::named(match request.usage {
                Some("enc") => "ECDH-ES",
                _ => "ES256",
            });
        }
        let material = match alg {
            Some(algorithm) => material_for(algorithm, crv, &request)?,
            None => material_without_algorithm(crv, &request)?,
        };
        if let (None, Material::Curve(curve)) = (alg, material)
            && matches!(curve.form, Form::Edwards { .. })
        {
            // More verifiers know the older, less specific name (RFC 9864 section 2.2).
            alg = Algorithm::named("EdDSA");
        }
        let usage = usage(&request, alg)?;
        Ok(Plan {
            alg,
            usage,
            material,
        })
    }

    /// Returns the `kty` of the key.
    pub fn kty(&self) -> &'static str {
        self.material.kty()
    }

    /// Returns the `crv` of the key, if it is on a curve.
    pub fn crv(&self) -> Option<&'static str> {
        self.material.curve().map(|curve| curve.name)
    }

    /// Returns the size in bits of an RSA or symmetric key.
    pub fn bits(&self) -> Option<u32> {
        match self.material {
            Material::Rsa { bits } | Material::Oct { bits } => Some(bits),
            Material::Curve(_) | Material::MlDsa(_) => None,
        }
    }

    /// Describes the key, such as `RSA, 2048 bits`.
    pub fn description(&self) -> String {
        match self.material {
            Material::Rsa { bits } => format!("RSA, {bits} bits"),
            Material::Curve(curve) => format!("{}, {}", curve.kty, curve.name),
            Material::Oct { bits } => format!("symmetric, {bits} bits"),
            Material::MlDsa(_) => "AKP".into(),
        }
    }

    /// Returns true if generating the key takes so long that a progress display helps.
    pub fn is_slow(&self) -> bool {
        matches!(self.material, Material::Rsa { bits } if bits >= 4096)
    }

    /// Generates a key with its private part. `kty`, `use` and `alg` come first. Returns an error if
    /// OpenSSL cannot generate it.
    pub fn generate(&self) -> Result<Members<'static>> {
        let generated = self.material.generate()?;
        let mut members = Members::default();
        for (name, value) in generated.iter() {
            members.set_raw(name.to_owned(), value.to_owned());
            if name != "kty" {
                continue;
            }
            if let Some(usage) = self.usage {
                members.set_text("use", usage.name());
            }
            if let Some(algorithm) = self.alg {
                members.set_text("alg", algorithm.name);
            }
        }
        Ok(members)
    }
}

fn algorithm(name: &str) -> Result<&'static Algorithm> {
    let found = Algorithm::named(name);
    if let Some(algorithm) = found.filter(|algorithm| algorithm.created) {
        return Ok(algorithm);
    }
    let names: Vec<_> = Algorithm::created()
        .map(|algorithm| algorithm.name)
        .collect();
    Err(match found {
        None => unknown_algorithm(name, &names),
        Some(_) => Error::usage(format!("no keys are generated for algorithm {name:?}"))
            .hint(format!("algorithms: {}", names.join(", "))),
    })
}

/// Returns the error for a word that is none of the algorithms in `names`. The name of a curve is not a
/// mistyped algorithm.
pub fn unknown_algorithm(word: &str, names: &[&str]) -> Error {
    let curve = Curve::named(word).or_else(|| Curve::meant_by(word));
    let Some(curve) = curve.filter(|curve| !names.contains(&curve.name)) else {
        return unknown("algorithm", word, None, names);
    };
    let fits = |algorithm: &&Algorithm| algorithm.takes_key(curve.kty, Some(curve.name));
    let algorithms = Algorithm::created().filter(fits);
    let algorithms: Vec<_> = algorithms.map(|algorithm| algorithm.name).collect();
    Error::usage(format!("{} is a curve, not an algorithm", curve.name)).hint(format!(
        "algorithms for this curve: {}; `jwks create` takes --crv {}, too",
        algorithms.join(", "),
        curve.name
    ))
}

fn curve(name: &str) -> Result<&'static Curve> {
    Curve::named(name).ok_or_else(|| {
        let meant = Curve::meant_by(name).map(|curve| curve.name);
        let names: Vec<_> = CURVES.iter().map(|curve| curve.name).collect();
        unknown("curve", name, meant, &names)
    })
}

fn material_for(
    algorithm: &'static Algorithm,
    crv: Option<&'static Curve>,
    request: &Request,
) -> Result<Material> {
    let misfit = |what: String| {
        let takes = algorithm.key_requirement();
        Error::usage(format!("{} cannot be used with {what}", algorithm.name))
            .hint(format!("{} requires {takes}", algorithm.name))
    };
    let material = match algorithm.takes {
        Takes::Rsa => Material::Rsa {
            bits: rsa_bits(request.size)?,
        },
        Takes::OctAtLeast(least) => {
            let bits = request.size.unwrap_or(least);
            if bits < least {
                return Err(misfit(format!("--size {bits}")));
            }
            Material::Oct {
                bits: oct_bits(bits)?,
            }
        }
        Takes::OctExactly(exactly) => {
            let bits = request.size.unwrap_or(exactly);
            if bits != exactly {
                return Err(misfit(format!("--size {bits}")));
            }
            Material::Oct { bits }
        }
        Takes::Curves(names) => {
            let of_type = |curve: &&Curve| request.kty.is_none_or(|kty| kty == curve.kty);
            let mut fitting = names.iter().filter_map(|name| Curve::named(name));
            let chosen = match crv {
                Some(crv) => fitting.find(|curve| *curve == crv),
                None => fitting.find(of_type),
            };
            match (chosen, request.kty, crv) {
                (Some(chosen), _, _) => Material::Curve(chosen),
                (None, _, Some(crv)) => return Err(misfit(format!("--crv {}", crv.name))),
                (None, kty, None) => {
                    return Err(misfit(format!("--kty {}", kty.unwrap_or_default())));
                }
            }
        }
        Takes::Akp => Material::MlDsa(algorithm.name),
    };
    check_against(material, crv, request, misfit)?;
    Ok(material)
}

fn material_without_algorithm(crv: Option<&'static Curve>, request: &Request) -> Result<Material> {
    let kty = match (request.kty, crv) {
        (Some(kty), _) => kty,
        (None, Some(crv)) => crv.kty,
        (None, None) => {
            return Err(Error::usage("--size requires --alg or --kty")
                .hint("add --alg, --kty RSA or --kty oct"));
        }
    };
    let default = |name| crv.or_else(|| Curve::named(name));
    let material = match (kty, default("P-256"), default("Ed25519")) {
        ("RSA", ..) => Material::Rsa {
            bits: rsa_bits(request.size)?,
        },
        ("oct", ..) => Material::Oct {
            bits: oct_bits(request.size.unwrap_or(256))?,
        },
        ("AKP", ..) => {
            return Err(Error::usage("--kty AKP requires --alg")
                .hint("use --alg ML-DSA-44, ML-DSA-65 or ML-DSA-87"));
        }
        ("EC", Some(curve), _) | ("OKP", _, Some(curve)) => Material::Curve(curve),
        _ => {
            return Err(Error::usage(format!("unknown key type {kty:?}"))
                .hint("key types: RSA, EC, OKP, oct"));
        }
    };
    check_against(material, crv, request, |what| {
        let error = Error::usage(format!("--kty {kty} cannot be used with {what}"));
        let names = CURVES.iter().filter(|curve| curve.kty == kty);
        let names: Vec<_> = names.map(|curve| curve.name).collect();
        if names.is_empty() {
            error.hint(format!("use --kty {kty} with --size"))
        } else {
            error.hint(format!("use --kty {kty} with --crv {}", names.join(", ")))
        }
    })?;
    Ok(material)
}

/// Returns an error if an option contradicts the chosen material.
fn check_against(
    material: Material,
    crv: Option<&Curve>,
    request: &Request,
    misfit: impl Fn(String) -> Error,
) -> Result<()> {
    let (kty, curve) = (material.kty(), material.curve());
    if let Some(asked) = request.kty.filter(|asked| *asked != kty) {
        return Err(misfit(format!("--kty {asked}")));
    }
    if let Some(asked) = crv.filter(|asked| Some(*asked) != curve) {
        return Err(misfit(format!("--crv {}", asked.name)));
    }
    let fits = |size: &u32| match material {
        Material::Curve(curve) => *size == curve.bits,
        Material::MlDsa(_) => false,
        Material::Rsa { .. } | Material::Oct { .. } => true,
    };
    if let Some(size) = request.size.filter(|size| !fits(size)) {
        return Err(misfit(format!("--size {size}")));
    }
    Ok(())
}

fn rsa_bits(size: Option<u32>) -> Result<u32> {
    let bits = size.unwrap_or(RSA_BITS);
    if MODULUS_BITS.contains(&bits) {
        return Ok(bits);
    }
    let (least, most) = MODULUS_BITS.into_inner();
    Err(Error::usage(format!("invalid RSA key size {bits}"))
        .hint(format!("--size is in bits, from {least} to {most}")))
}

fn oct_bits(bits: u32) -> Result<u32> {
    if OCT_BITS.contains(&bits) && bits.is_multiple_of(8) {
        return Ok(bits);
    }
    let (least, most) = OCT_BITS.into_inner();
    Err(
        Error::usage(format!("invalid symmetric key size {bits}")).hint(format!(
            "--size is in bits, a multiple of 8 from {least} to {most}"
        )),
    )
}

fn usage(request: &Request, alg: Option<&Algorithm>) -> Result<Option<Use>> {
    let asked = match request.usage {
        None => None,
        Some("sig") => Some(Use::Sig),
        Some("enc") => Some(Use::Enc),
        Some(other) => {
            return Err(Error::usage(format!("unknown use {other:?}")).hint("uses: sig, enc"));
        }
    };
    match (asked, alg) {
        (Some(asked), Some(alg)) if asked != alg.usage => {
            let error = format!("{} cannot be used with --use {}", alg.name, asked.name());
            Err(Error::usage(error).hint(format!("{} is for use {}", alg.name, alg.usage.name())))
        }
        (Some(asked), _) => Ok(Some(asked)),
        (None, alg) => Ok(alg.map(|alg| alg.usage)),
    }
}
