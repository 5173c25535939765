//! Google Cloud Storage with one object, as far as a push needs it.

use super::{Answer, Call, Server};

/// The storage.
pub struct Gcs {
    pub server: Server,
}

impl Gcs {
    pub fn start() -> Gcs {
        let mut object: Option<(u64, String)> = None;
        let server = Server::start(move |call| answer(&mut object, call));
        Gcs { server }
    }
}

fn answer(object: &mut Option<(u64, String)>, call: &Call) -> Answer {
    let generation = object.as_ref().map_or(0, |(generation, _)| *generation);
    match (call.method.as_str(), &object) {
        ("GET", None) => Answer::json(404, "{}"),
        ("GET", Some((generation, body))) => Answer::empty(200)
            .header("x-goog-generation", generation)
            .header("Content-Type", "application/jwk-set+json")
            .header("Cache-Control", "public, max-age=3600")
            .body(body.as_str()),
        _ => {
            let condition = format!("ifGenerationMatch={generation}");
            if !call.query.split('&').any(|part| part == condition) {
                return Answer::json(412, r#"{"error":{"code":412}}"#);
            }
            // The document is the last part.
            let document = call.body.rsplit("\r\n\r\n").next().unwrap_or_default();
            let document = document.split("\r\n--").next().unwrap_or_default();
            *object = Some((generation + 1, document.to_owned()));
            Answer::json(200, "{}")
        }
    }
}
