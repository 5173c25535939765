//! Makes several calls at the same time, for stores that have an item for each set.

use crate::error::Result;
use crate::remote::http::proxy::proxy;
use crate::remote::http::reading::read;
use crate::remote::http::{Answer, Client, Event, Request};
use std::time::Instant;
use ureq::http;

/// The most calls that are made at the same time.
pub const TOGETHER: usize = 48;

/// The largest answer that is read together with others, in bytes. A larger one is read by itself.
const LIMIT: usize = 2 << 20;

impl Client {
    /// Makes calls of method GET at the same time, each in a thread, so their number should be at most
    /// [`TOGETHER`]. Returns the answers that are successful or say that there is nothing (404), in the same order.
    /// A call without one has to be made by itself with [`send`](Self::send), which retries it and says what failed.
    pub fn send_together(&self, requests: &[Request]) -> Result<Vec<Option<Answer>>> {
        let agent = self.agent()?;
        let run = |call: http::Request<()>, shown: String| {
            let start = Instant::now();
            let response = agent.run(call).ok();
            let clean = |words| words;
            let answer =
                response.and_then(|response| read(shown, response, LIMIT, clean).ok()?.ok());
            (answer, start.elapsed())
        };
        let run = &run;
        let mut calls = Vec::new();
        for request in requests {
            let url = self.address(request)?;
            self.refuse_plain_http(&url)?;
            let proxy = proxy(&url)?;
            let call = self.call(request, &url).body(());
            let call = call.map(|call| agent.configure_request(call).proxy(proxy).build());
            calls.push((call.ok(), url));
        }
        let mut answers = Vec::new();
        std::thread::scope(|scope| {
            let calls = requests.iter().zip(calls);
            let running: Vec<_> = calls
                .map(|(request, (call, url))| {
                    let shown = self.describe(request, &url);
                    let thread = call.map(|call| scope.spawn(move || run(call, shown)));
                    (request, url, thread)
                })
                .collect();
            for (request, url, thread) in running {
                let Some(Ok((answer, took))) = thread.map(|thread| thread.join()) else {
                    answers.push(None);
                    continue;
                };
                (self.options().notify)(Event::Call {
                    method: request.method.as_str(),
                    address: &self.address_of(request, &url),
                    status: answer.as_ref().map(|answer| answer.status),
                    took,
                });
                answers.push(answer.filter(|answer| answer.is_success() || answer.status == 404));
            }
        });
        Ok(answers)
    }
}
