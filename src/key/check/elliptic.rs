//! Checks EC and OKP keys: the lengths, the public point, and the private number.

use crate::key::base64url;
use crate::key::check::{Report, Rule, Values, excerpt};
use crate::key::curve::Curve;
use crate::key::key_type::{KeyType, Kty};
use crate::key::members::Members;
use crate::key::openssl_key;

/// Checks the curve name, the lengths and the public point, without OpenSSL.
pub fn check_public(key_type: &KeyType, members: &Members, values: &Values, report: &mut Report) {
    let Some(name) = members.string("crv") else {
        return; // reported as missing or as a wrong type
    };
    let curve = match Curve::named(&name) {
        Some(curve) if curve.kty == key_type.name => curve,
        Some(curve) => {
            let message = format!(
                "{name} is a curve of {} keys, not of {}",
                curve.kty, key_type.name
            );
            return report.add(Rule::CrvName, message);
        }
        None => {
            return match Curve::meant_by(&name) {
                Some(meant) => {
                    let message = format!("crv is {name:?}; did you mean {}?", meant.name);
                    report.add(Rule::CrvName, message);
                }
                None => {
                    let message = format!("jwks does not know crv {}", excerpt(&name));
                    report.add(Rule::CrvUnknown, message);
                }
            };
        }
    };
    let mut full_length = true;
    for name in ["x", "y", "d"] {
        let Some(octets) = values.get(name) else {
            continue;
        };
        if octets.len() != curve.octets && key_type.owns(name) {
            full_length = false;
            let rule = if name == "d" {
                Rule::PrivateLength
            } else {
                Rule::CoordinateLength
            };
            let (found, needed) = (octets.len(), curve.octets);
            report.add(rule, format!("{name} has {found} bytes, not {needed}"));
        }
    }
    if !full_length {
        return;
    }
    match (curve.equation(), values.get("x"), values.get("y")) {
        (Some(equation), Some(x), Some(y)) if !equation.contains(x, y) => {
            let message = format!("the point x, y is not on {}", curve.name);
            report.add(Rule::PointNotOnCurve, message);
        }
        (None, Some(x), _) if curve.is_low_order(x) => {
            report.add(Rule::PointLowOrder, "x is a point of low order");
        }
        _ => {}
    }
}

/// Checks that the public key of a signing OKP key is a point. Takes 5 microseconds for a key, which would double
/// the time of a listing. The key must have passed [`check_public`].
pub fn check_point(members: &Members, report: &mut Report) {
    let curve = members.string("crv").and_then(|crv| Curve::named(&crv));
    let x = members.string("x").and_then(|x| base64url::decode(&x).ok());
    if let (Some(curve), Some(x)) = (curve, x)
        && members.kty() == Some(Kty::Okp)
        && !curve.contains(&x)
    {
        let message = format!("x is not a point on {}", curve.name);
        report.add(Rule::PointNotOnCurve, message);
    }
}

/// Returns the cost of [`check_private`] in microseconds.
pub fn private_cost(members: &Members, values: &Values) -> u64 {
    if !values.contains_key("d") {
        return 0;
    }
    let curve = members.string("crv").and_then(|crv| Curve::named(&crv));
    curve.map_or(0, |curve| curve.cost)
}

/// Checks that `d` is in range and that its public key is `x` (and `y`).
pub fn check_private(members: &Members, values: &Values, report: &mut Report) {
    let curve = members.string("crv").and_then(|crv| Curve::named(&crv));
    let (Some(curve), Some(d), Some(x)) = (curve, values.get("d"), values.get("x")) else {
        return;
    };
    if let Some(equation) = curve.equation()
        && !equation.is_private_scalar(d)
    {
        let message = format!("d is not between 1 and the order of {}", curve.name);
        return report.add(Rule::PrivateRange, message);
    }
    let belongs = match openssl_key::public_from_private(curve, d) {
        Ok(public) => public.x == **x && public.y.as_ref() == values.get("y").map(|y| &**y),
        Err(_) => false,
    };
    if !belongs {
        let message = "d does not belong to the public key";
        report.add(Rule::PrivateMismatch, message);
    }
}
