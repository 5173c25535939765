//! Object storage with one bucket, `keys`, that speaks the protocol of S3 as AWS does: conditional writes,
//! stored headers, errors in XML. It checks that calls are signed, but not the signatures: the real servers of
//! the tests do.

use super::{Answer, Call, Server, lock};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// An object with its headers.
#[derive(Clone)]
pub struct Object {
    pub body: String,
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    version: u64,
}

/// The storage. At first, its bucket is empty.
pub struct Storage {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    writes: u64,
    /// False if the credentials lack `s3:ListBucket`.
    lists: bool,
    /// False if the credentials lack `s3:GetObject`.
    reads: bool,
    /// False if the storage knows no conditions.
    has_conditions: bool,
    ignores_conditions: bool,
    removes_etags: bool,
    repeats_writes: bool,
    /// The permission that the access control list of the bucket gives to everybody, beside that to read.
    given: Option<&'static str>,
    /// What others write just before the next writes of the client.
    others: VecDeque<(String, String)>,
}

impl Storage {
    pub fn start() -> Storage {
        let state = State {
            lists: true,
            reads: true,
            has_conditions: true,
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let served = Arc::clone(&state);
        let server = Server::start(move |call| lock(&served).answer(call));
        Storage { server, state }
    }

    /// Writes an object, as somebody else does.
    pub fn put(&self, key: &str, body: &str) {
        lock(&self.state).put(key, body, [None, None]);
    }

    /// Makes the storage accept every write, whatever its condition.
    pub fn ignore_conditions(&self) {
        lock(&self.state).ignores_conditions = true;
    }

    /// Makes something in front of the storage remove the ETags.
    pub fn remove_etags(&self) {
        lock(&self.state).removes_etags = true;
    }

    /// Refuses each write, with what was sent in the message.
    pub fn repeat_writes(&self) {
        lock(&self.state).repeats_writes = true;
    }

    /// Gives everybody a permission for the bucket.
    pub fn give_everybody(&self, permission: &'static str) {
        lock(&self.state).given = Some(permission);
    }

    pub fn deny_listing(&self) {
        lock(&self.state).lists = false;
    }

    pub fn deny_reading(&self) {
        lock(&self.state).reads = false;
    }

    pub fn without_conditions(&self) {
        lock(&self.state).has_conditions = false;
    }

    /// Lets somebody else write an object just before the next write of the client.
    pub fn put_before_next_write(&self, key: &str, body: &str) {
        let other = (key.to_owned(), body.to_owned());
        lock(&self.state).others.push_back(other);
    }

    pub fn object(&self, key: &str) -> Option<Object> {
        lock(&self.state).objects.get(key).cloned()
    }

    /// Returns the objects that were written, in order.
    pub fn writes(&self) -> Vec<String> {
        let calls = self.server.calls();
        let writes = calls.iter().filter(|call| call.method == "PUT");
        writes
            .map(|call| call.path.trim_start_matches("/keys/").to_owned())
            .collect()
    }
}

/// Returns an error as S3 answers it.
pub fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><AWSAccessKeyId>canary-access-key</AWSAccessKeyId><SignatureProvided>canary-signature</SignatureProvided><RequestId>4442587FB7D0A2F9</RequestId></Error>"
    );
    Answer::empty(status)
        .header("Content-Type", "application/xml")
        .body(body)
}

impl State {
    fn put(&mut self, key: &str, body: &str, headers: [Option<&str>; 2]) {
        self.writes += 1;
        let [content_type, cache_control] = headers.map(|value| value.map(str::to_owned));
        let object = Object {
            body: body.to_owned(),
            content_type,
            cache_control,
            version: self.writes,
        };
        self.objects.insert(key.to_owned(), object);
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let is_signed = ["X-Amz-Signature=", "X-Amz-Credential=", "X-Amz-Date="];
        if !is_signed.iter().all(|part| call.query.contains(part)) {
            return error(403, "AccessDenied", "Access Denied");
        }
        if call.query.contains("list-type=2") && call.path.trim_end_matches('/') == "/keys" {
            return self.list(&call.query);
        }
        if call.query.split('&').any(|part| part == "acl=") {
            return self.access();
        }
        if self.repeats_writes && call.method == "PUT" {
            return error(400, "InvalidRequest", &call.body);
        }
        let Some(key) = call.path.strip_prefix("/keys/") else {
            return error(404, "NoSuchBucket", "The specified bucket does not exist");
        };
        match call.method.as_str() {
            "GET" => self.get(key),
            "PUT" => self.answer_put(call, key),
            _ => error(405, "MethodNotAllowed", "no"),
        }
    }

    fn access(&self) -> Answer {
        let everybody = self.given.map_or(String::new(), |given| {
            format!("<Grant><Grantee xsi:type=\"Group\"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>{given}</Permission></Grant>")
        });
        let owner = "<Grant><Grantee xsi:type=\"CanonicalUser\"><ID>75aa</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>";
        let readers = "<Grant><Grantee xsi:type=\"Group\"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>";
        Answer::empty(200).body(format!(
            "<AccessControlPolicy><AccessControlList>{owner}{readers}{everybody}</AccessControlList></AccessControlPolicy>"
        ))
    }

    /// Lists objects in pages of three.
    fn list(&self, query: &str) -> Answer {
        let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let prefix = query.get("prefix").map_or("", String::as_str);
        let after = query.get("continuation-token").map_or("", String::as_str);
        let delimiter = query.get("delimiter").map_or("\n", String::as_str);
        let mut rest = self.objects.iter();
        let mut rest = rest
            .by_ref()
            .filter(|(key, _)| key.as_str() > after)
            .filter(|(key, _)| {
                let rest = key.strip_prefix(prefix);
                rest.is_some_and(|rest| !rest.contains(delimiter))
            });
        let page: Vec<_> = rest.by_ref().take(3).collect();
        let next = rest
            .next()
            .and(page.last())
            .map_or(String::new(), |(key, _)| {
                format!("<NextContinuationToken>{key}</NextContinuationToken>")
            });
        let contents: String = page
            .iter()
            .map(|(key, object)| {
                let size = object.body.len();
                format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>")
            })
            .collect();
        Answer::empty(200).body(format!(
            "<?xml version=\"1.0\"?>\n<ListBucketResult>{contents}{next}</ListBucketResult>"
        ))
    }

    fn get(&self, key: &str) -> Answer {
        match self.objects.get(key) {
            Some(object) if self.reads => {
                let answer = Answer::empty(200).body(object.body.as_str());
                let etag = format!("\"{:032x}\"", object.version);
                let mut answer = if self.removes_etags {
                    answer
                } else {
                    answer.header("ETag", etag)
                };
                for (name, value) in [
                    ("Content-Type", &object.content_type),
                    ("Cache-Control", &object.cache_control),
                ] {
                    if let Some(value) = value {
                        answer = answer.header(name, value);
                    }
                }
                answer
            }
            None if self.lists => error(404, "NoSuchKey", "The specified key does not exist."),
            _ => error(403, "AccessDenied", "Access Denied"),
        }
    }

    fn answer_put(&mut self, call: &Call, key: &str) -> Answer {
        if let Some((key, body)) = self.others.pop_front() {
            self.put(&key, &body, [None, None]);
        }
        let conditions = [call.header("If-Match"), call.header("If-None-Match")];
        if !self.has_conditions && conditions.iter().any(Option::is_some) {
            let words = "A header you provided implies functionality that is not implemented";
            return error(501, "NotImplemented", words);
        }
        let there = self.objects.get(key);
        let etag = there.map(|object| format!("\"{:032x}\"", object.version));
        match conditions {
            _ if self.ignores_conditions => {}
            [Some(_), _] if etag.is_none() => {
                return error(404, "NoSuchKey", "The specified key does not exist.");
            }
            [Some(tag), _] if etag.as_deref() != Some(tag) => return failed(),
            [_, Some("*")] if etag.is_some() => return failed(),
            _ => {}
        }
        let headers = [call.header("Content-Type"), call.header("Cache-Control")];
        self.put(key, &call.body, headers);
        Answer::empty(200).header("ETag", format!("\"{:032x}\"", self.writes))
    }
}

fn failed() -> Answer {
    let words = "At least one of the pre-conditions you specified did not hold";
    error(412, "PreconditionFailed", words)
}
