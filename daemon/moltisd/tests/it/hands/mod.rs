//! Agents that act, on the real daemon: a vendor's model calls tools, and the world is looked at.

mod approvals;
mod files;
mod listed;
mod obeys;
mod programs;
mod puppet;
mod typed;

use std::path::PathBuf;

use moltis_proto::v1;
use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::event::Kind;
use moltis_testkit::daemon::{Daemon, Home};
use moltis_testkit::vendor::{Recorded, Vendor};

use crate::spine::{history, home, main_session, message, turn_end};

/// A daemon, a vendor whose model makes the calls that the test says, and a session.
struct Scene {
    vendor: Vendor,
    home: Home,
    daemon: Daemon,
    session: String,
}

impl Scene {
    /// With these settings, `{vendor}` in them being its host and port.
    async fn new(settings: &[(&str, &str)]) -> Self {
        let vendor = Vendor::calling().await;
        let set = |home: Home, (name, value): &(&str, &str)| {
            home.env(&format!("MOLTIS_{name}"), &value.replace("{vendor}", &vendor.address()))
        };
        let home = settings.iter().fold(home(&vendor), set);
        let daemon = home.start().await;
        let session = main_session(&daemon).await.id;
        Self { vendor, home, daemon, session }
    }

    /// Where the session works.
    fn workspace(&self) -> PathBuf {
        self.home.data_dir().join("workspace")
    }

    /// Sends a message and gives its turn.
    async fn send(&self, op: &str) -> String {
        let sent = self.daemon.sessions().send(message(&self.session, op, op)).await.unwrap();
        sent.into_inner().turn
    }

    /// A message and its whole turn.
    async fn turn(&self, op: &str) -> v1::TurnEnded {
        let turn = self.send(op).await;
        turn_end(&self.daemon, &self.session, &turn).await
    }

    /// What came of the calls so far, as the vendor was told it with the last request.
    fn told(&self) -> Vec<String> {
        let requests = self.vendor.requests();
        let last = requests.iter().rfind(|asked| is_chat(asked)).unwrap().json();
        let messages = last["messages"].as_array().unwrap().iter();
        let results = messages.filter(|message| message["role"] == "tool");
        let text = |message: &serde_json::Value| match message["content"].as_str() {
            Some(text) => text.to_owned(),
            None => message["content"].to_string(),
        };
        results.map(text).collect()
    }

    /// Waits for an event of the session.
    async fn until(&self, wanted: impl Fn(&Kind) -> bool) {
        let session = self.session.clone();
        let request = v1::AttachRequest { session, after_seq: Some(0), tail: 0 };
        let mut feed = self.daemon.sessions().attach(request).await.unwrap().into_inner();
        while let Some(next) = feed.message().await.unwrap() {
            if let Some(Feed::Event(v1::Event { kind: Some(kind), .. })) = next.feed
                && wanted(&kind)
            {
                return;
            }
        }
        panic!("the feed ended before that came");
    }

    /// Waits until so many questions wait for an answer, and gives them.
    async fn questions(&self, count: usize) -> Vec<v1::Approval> {
        let session = self.session.clone();
        let request = v1::AttachRequest { session, after_seq: Some(0), tail: 0 };
        let mut feed = self.daemon.sessions().attach(request).await.unwrap().into_inner();
        let mut asked = 0;
        while asked < count {
            let next = feed.message().await.unwrap().expect("the feed goes on");
            if let Some(Feed::Event(v1::Event { kind: Some(kind), .. })) = next.feed {
                asked += usize::from(matches!(kind, Kind::ApprovalAsked(_)));
            }
        }
        self.waiting().await
    }

    /// The questions that wait for an answer now.
    async fn waiting(&self) -> Vec<v1::Approval> {
        let request = v1::ApprovalsRequest { session: self.session.clone() };
        self.daemon.sessions().approvals(request).await.unwrap().into_inner().approvals
    }

    /// Answers a question.
    async fn answer(
        &self,
        op: &str,
        question: &v1::Approval,
        allow: bool,
    ) -> Result<v1::AnswerResponse, tonic::Status> {
        let request = v1::AnswerRequest {
            op_id: op.to_owned(),
            approval: question.id.clone(),
            allow,
            digest: question.digest.clone(),
            session: question.session.clone(),
            ..v1::AnswerRequest::default()
        };
        Ok(self.daemon.sessions().answer(request).await?.into_inner())
    }

    async fn undo(&self, op: &str) -> Result<v1::UndoResponse, tonic::Status> {
        let request = v1::UndoRequest {
            op_id: op.to_owned(),
            session: self.session.clone(),
            turn: String::new(),
        };
        Ok(self.daemon.sessions().undo(request).await?.into_inner())
    }

    async fn diff(&self) -> v1::DiffResponse {
        let request = v1::DiffRequest { session: self.session.clone(), turn: String::new() };
        self.daemon.sessions().diff(request).await.unwrap().into_inner()
    }

    /// How the calls of a tool ended, in order.
    async fn endings(&self, tool: &str) -> Vec<String> {
        let events = history(&self.daemon, &self.session).await;
        let ending = |event: v1::Event| match event.kind {
            Some(Kind::ToolFinished(done)) if done.tool == tool => Some(done.ending),
            _ => None,
        };
        events.into_iter().filter_map(ending).collect()
    }
}

fn is_chat(asked: &Recorded) -> bool {
    asked.path.ends_with("/chat/completions")
}

/// Whether bubblewrap is here; its absence is said, and fails in CI.
pub(crate) fn has_bubblewrap() -> bool {
    if ["/usr/bin/bwrap", "/bin/bwrap"].iter().any(|path| std::path::Path::new(path).exists()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have bubblewrap");
    eprintln!("skipped: bubblewrap is not installed");
    false
}
