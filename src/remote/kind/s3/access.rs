//! Who can write to a bucket, as far as its access control list says.

use crate::remote::http::Answer;
use crate::remote::kind::s3::signed::Call;
use url::Url;

/// The groups of everybody, and of everybody with an account.
const EVERYBODY: [&str; 2] = [
    "/groups/global/AllUsers<",
    "/groups/global/AuthenticatedUsers<",
];

/// The permissions to write objects, or to give oneself that permission.
const WRITE: [&str; 3] = [">WRITE<", ">WRITE_ACP<", ">FULL_CONTROL<"];

/// Returns the call that reads the access control list of a bucket.
pub fn request(bucket: Url) -> Call<'static> {
    Call {
        url: bucket,
        query: vec![("acl", "")],
        headers: Vec::new(),
        added: Vec::new(),
        body: None,
    }
}

/// Returns true if the answer is a list that lets everybody write. Other answers say nothing: many credentials
/// must not read the list, and some storage has none.
pub fn is_open(answer: &Answer) -> bool {
    let text = std::str::from_utf8(answer.body.expose()).unwrap_or_default();
    let mut grants = text.split("<Grant>").skip(1);
    answer.is_success()
        && grants.any(|grant| {
            EVERYBODY.iter().any(|group| grant.contains(group))
                && WRITE.iter().any(|permission| grant.contains(permission))
        })
}
