//! Authlete 3 and 2: the single set of a service, which is written as part of the whole service.

use crate::error::{Error, Reason, Result};
use crate::key::Key;
use crate::key::members::{Members, quoted};
use crate::key::parts::has_private_member;
use crate::keyset::KeySet;
use crate::keyset::import;
use crate::keyset::server_rules::{ServerRules, Signing};
use crate::keyset::terms::Origin;
use crate::remote::http::{Answer, Client, Request, Retries, Traffic};
use crate::remote::kind::{Auth, Form, Operation, Server, ServerKind, Sets};
use crate::remote::location::{Location, parse_address};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::Method;
use url::Url;

/// The members of a service that hold the kid of a key in use.
const KEY_IDS: &[&str] = &[
    "accessTokenSignatureKeyId",
    "idTokenSignatureKeyId",
    "userInfoSignatureKeyId",
    "authorizationSignatureKeyId",
    "introspectionSignatureKeyId",
    "resourceSignatureKeyId",
    "federationSignatureKeyId",
];

/// The properties that both versions share.
const COMMON: ServerKind = ServerKind {
    name: "authlete",
    about: "Authlete 3, a service",
    settings: &["--service-id", "--region", "--url"],
    auth: Auth::Required,
    token: "Authorization: Bearer",
    token_variables: &["AUTHLETE_BEARER"],
    sets: Sets::One,
    can: &[
        Operation::List,
        Operation::Get,
        Operation::SetSet,
        Operation::SetKey,
        Operation::DeleteSet,
        Operation::DeleteKey,
        Operation::NameSigner,
    ],
    origin: Origin::Signer,
    rules: ServerRules {
        signing: Signing::ByKid,
        ..ServerRules::FAITHFUL
    },
    traffic: Traffic::Private,
    retries: Retries {
        statuses: &[500, 502, 503, 504],
        ..Retries::USUAL
    },
    secret_address: false,
    check: |_| Ok(()),
    base: |location| {
        Location::required("--service-id", &location.service_id, AUTHLETE.name)?;
        region(location)
    },
    open: |client, location, token| {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        Ok(Authlete::boxed(client, location, Version::V3))
    },
};

/// Authlete 3.
pub static AUTHLETE: ServerKind = COMMON;

/// Authlete 2. Its credentials are a key and a secret, either of the service owner, or of the service,
/// which can only read.
pub static AUTHLETE_V2: ServerKind = ServerKind {
    name: "authlete-v2",
    about: "Authlete 2, a service; the token is KEY:SECRET of the service owner, or of the service to read only",
    settings: &["--service-id", "--url"],
    token: "Authorization: Basic",
    token_variables: &[],
    base: |location| {
        Location::required("--service-id", &location.service_id, AUTHLETE_V2.name)?;
        parse_address(
            location
                .url
                .as_deref()
                .unwrap_or("https://api.authlete.com"),
        )
    },
    open: |client, location, token| {
        let token = token.map_or("", |token| token.expose());
        client.authorize("Basic", &Secret::new(STANDARD.encode(token)));
        let key = token.split(':').next();
        let is_owner = key != location.service_id.as_deref();
        Ok(Authlete::boxed(client, location, Version::V2 { is_owner }))
    },
    ..COMMON
};

fn region(location: &Location) -> Result<Url> {
    match (&location.url, location.region.as_deref()) {
        (Some(url), None) => parse_address(url),
        (None, Some(region @ ("us" | "jp" | "eu" | "br"))) => {
            parse_address(&format!("https://{region}.authlete.com"))
        }
        (None, Some(region)) => {
            Err(Error::usage(format!("unknown region {region:?}")).hint("regions: us, jp, eu, br"))
        }
        (None, None) => {
            Err(Error::usage("authlete requires --region or --url").hint("regions: us, jp, eu, br"))
        }
        (Some(_), Some(_)) => Err(Error::usage("--region and --url cannot be used together")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V3,
    /// `is_owner`: the credentials are the service owner's, not the service's own.
    V2 {
        is_owner: bool,
    },
}

struct Authlete {
    client: Client,
    service: String,
    version: Version,
}

impl Authlete {
    fn boxed(client: Client, location: &Location, version: Version) -> Box<dyn Server> {
        let service = location.service_id.clone().unwrap_or_default();
        Box::new(Authlete {
            client,
            service,
            version,
        })
    }

    fn read(&self, form: Form) -> Result<KeySet<'static>> {
        let path: Vec<&str> = match self.version {
            Version::V3 => vec!["api", &self.service, "service", "jwks", "get"],
            Version::V2 { is_owner: false } => vec!["api", "service", "jwks", "get"],
            // The owner's credentials read the set where they write it.
            Version::V2 { is_owner: true } => return self.service()?.key_set(),
        };
        let private = (form == Form::Private).to_string();
        let request = Request::get(path)
            .query("includePrivateKeys", &private)
            .query("pretty", "false");
        let answer = self.client.send(&request)?.success()?;
        match answer.status {
            204 => Ok(KeySet::default()),
            _ => answer.key_set(),
        }
    }

    fn service(&self) -> Result<Service> {
        let path: [&str; 4] = match self.version {
            Version::V3 => ["api", &self.service, "service", "get"],
            Version::V2 { is_owner: true } => ["api", "service", "get", &self.service],
            Version::V2 { is_owner: false } => {
                return Err(
                    Error::denied("the service's own key and secret cannot write its set")
                        .hint("use the service owner's key and secret as the token: KEY:SECRET"),
                );
            }
        };
        Service::of(self.client.send(&Request::get(path))?.success()?)
    }

    /// Writes a set to the service, if the set is still `before`. In the settings of the service, replaces
    /// the first kid of each pair by the second one.
    fn rewrite(&self, before: &KeySet, after: &KeySet, kids: &[(String, String)]) -> Result<()> {
        let service = self.service()?;
        let now = service.key_set()?;
        if !now.is_alike(before) {
            return Err(meanwhile());
        }
        let mut members = service.members();
        for field in KEY_IDS {
            let named = members.string(field).map(|kid| kid.into_owned());
            let moved = kids.iter().find(|(old, _)| Some(old) == named.as_ref());
            if let Some((_, kid)) = moved {
                members.set_text(field, kid);
            }
        }
        refuse_loss(&members, before, after)?;
        members.set_raw("jwks", quoted(&compact(&now, after)));
        let body = members.to_json();
        if self.service()?.modified_at() != service.modified_at() {
            return Err(meanwhile());
        }
        let path: [&str; 4] = match self.version {
            Version::V3 => ["api", &self.service, "service", "update"],
            Version::V2 { .. } => ["api", "service", "update", &self.service],
        };
        let request = Request::new(Method::POST, path).json(body);
        self.client.send(&request)?.success().map(drop)
    }
}

fn meanwhile() -> Error {
    Error::refused("the service was changed meanwhile")
        .because(Reason::Overtaken)
        .hint("run the command again")
}

/// Returns the keys of a set on one line, with the other members of the set that they replace.
fn compact(now: &KeySet, after: &KeySet) -> String {
    let keys: Vec<&str> = after.keys.iter().map(Key::json).collect();
    let members = now.members();
    let members = members.map(|(name, value)| format!("{}:{value},", quoted(name)));
    let members: String = members.collect();
    format!(r#"{{{members}"keys":[{}]}}"#, keys.join(","))
}

/// A service with all of its members.
struct Service {
    text: Secret<String>,
    call: String,
}

impl Service {
    fn of(answer: Answer) -> Result<Service> {
        let text = std::str::from_utf8(answer.body.expose()).unwrap_or_default();
        let Ok(members) = Members::parse(text) else {
            return Err(answer.unlike("a service"));
        };
        // A token without full access sees four members. Writing only these back would empty the
        // service.
        if !members.has("issuer") {
            return Err(Error::denied(format!(
                "{}: the token shows only a part of the service, which must not be written back",
                answer.call
            ))
            .hint("use a token with full access to the service"));
        }
        Ok(Service {
            text: Secret::new(text.to_owned()),
            call: answer.call,
        })
    }

    fn members(&self) -> Members<'_> {
        // The service has been read once.
        Members::parse(self.text.expose()).unwrap_or_default()
    }

    /// Returns the set, which is usually JSON in a string, and an object in some answers.
    fn key_set(&self) -> Result<KeySet<'static>> {
        let members = self.members();
        let json = match (members.text("jwks"), members.raw("jwks")) {
            (_, None | Some("null")) => return Ok(KeySet::default()),
            (Ok(Some(text)), _) => text.into_owned(),
            (_, Some(raw)) => raw.to_owned(),
        };
        let json = Secret::new(json);
        if json.expose().trim().is_empty() {
            return Ok(KeySet::default());
        }
        import::read_set(json.expose().as_bytes())
            .map_err(|error| error.about(format!("the jwks of {}", self.call)))
    }

    fn modified_at(&self) -> Option<String> {
        self.members().raw("modifiedAt").map(str::to_owned)
    }
}

/// Returns an error if a change removes a key, or its private part, that the settings use.
fn refuse_loss(members: &Members, before: &KeySet, after: &KeySet) -> Result<()> {
    let private = |set: &KeySet, kid: &str| {
        let positions = set.with_kid(kid);
        let is_private = |i: &usize| has_private_member(&set.keys[*i]);
        (!positions.is_empty(), positions.iter().any(is_private))
    };
    for field in KEY_IDS {
        let Some(kid) = members.string(field).filter(|kid| !kid.is_empty()) else {
            continue;
        };
        let (was_there, was_private) = private(before, &kid);
        let (is_there, is_private) = private(after, &kid);
        let lost = match (was_there && !is_there, was_private && !is_private) {
            (true, _) => "key",
            (false, true) => "private part of the key",
            (false, false) => continue,
        };
        return Err(Error::refused(format!(
            "the service uses the key {kid:?} as its {field}: the {lost} would be lost"
        ))
        .hint("set that field of the service to another key first, or pass --move-signature-kid to jwks rotate"));
    }
    Ok(())
}

impl Server for Authlete {
    fn test(&self) -> Result<String> {
        let keys = self.read(Form::Public)?.keys.len();
        Ok(format!("service {} has keys: {keys}", self.service))
    }

    fn sets(&self) -> Result<Vec<String>> {
        Ok(vec![self.service.clone()])
    }

    fn get(&self, _: &str, form: Form) -> Result<Option<KeySet<'static>>> {
        self.read(form).map(Some)
    }

    fn put_set(&self, _: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        self.rewrite(before, after, &[])
    }

    fn signature_kids(&self) -> Result<Vec<String>> {
        let service = self.service()?;
        let members = service.members();
        let kids = KEY_IDS.iter().filter_map(|field| members.string(field));
        let kids = kids.filter(|kid| !kid.is_empty());
        Ok(kids.map(|kid| kid.into_owned()).collect())
    }

    fn put_set_and_name(
        &self,
        _: &str,
        before: &KeySet,
        after: &KeySet,
        kids: &[(String, String)],
    ) -> Result<()> {
        self.rewrite(before, after, kids)
    }

    fn put_key(&self, _: &str, before: &KeySet, key: &Key) -> Result<()> {
        self.rewrite(before, &before.with(key), &[])
    }

    fn delete_set(&self, _: &str, before: &KeySet) -> Result<()> {
        self.rewrite(before, &KeySet::default(), &[])
    }

    fn delete_keys(&self, _: &str, before: &KeySet, keys: &[Key]) -> Result<()> {
        self.rewrite(before, &before.without(keys), &[])
    }
}
