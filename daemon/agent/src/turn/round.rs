//! The calls of one answer, and how far each of them has come.
//!
//! Not here: what a turn does about it; that is [`super::acting`]'s.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use moltis_core::event::{EventKind, Level, ToolEnding};
use moltis_core::id::{ApprovalId, CallId, ItemId};
use moltis_core::message::Part;
use moltis_core::policy::{self, Authorized, Question, Reach, Verdict};
use moltis_core::tool::{Call, Class};

use super::Context;

/// A call as the model made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The provider's id of it.
    pub id: CallId,
    /// The tool's name, as the model wrote it.
    pub tool: String,
    /// The arguments, as the model wrote them.
    pub arguments: String,
}

impl Wish {
    /// The call as a part of the message that made it.
    pub fn into_part(self) -> Part {
        Part::ToolCall { id: self.id, name: self.tool, arguments: self.arguments }
    }
}

/// A call that has been planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The call: tool, arguments and what it would do.
    pub call: Call,
    /// What doing it twice would mean.
    pub class: Class,
    /// What would cover it and calls like it.
    pub pattern: Option<String>,
}

/// What is known of a call whose turn goes on after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Past {
    /// It was begun, and nobody knows how it went.
    Started(ItemId),
    /// A person was asked: the question, and the digest of what they were shown.
    Asked(ApprovalId, String),
    /// A person allowed it: the digest of what they were shown.
    Allowed(String),
    /// A person did not: why.
    Denied(String),
}

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) calls: Vec<Doing>,
}

/// One call on its way.
#[derive(Debug)]
pub(super) struct Doing {
    pub(super) wish: Wish,
    pub(super) item: ItemId,
    pub(super) past: Option<Past>,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    Wished,
    Asking {
        approval: ApprovalId,
        question: Box<Question>,
        class: Class,
    },
    /// Allowed; its intent is being written.
    Allowed(Box<Authorized<Call>>),
    Running {
        since: Duration,
        printed: String,
    },
    Finished,
}

impl Round {
    pub(super) fn new(
        wishes: Vec<Wish>,
        past: &[(CallId, Past)],
        fresh: &dyn Fn() -> ItemId,
    ) -> Self {
        let doing = |wish: Wish| {
            let past = past.iter().find(|(id, _)| *id == wish.id).map(|(_, past)| past.clone());
            let item = match &past {
                Some(Past::Started(item)) => item.clone(),
                _ => fresh(),
            };
            Doing { wish, item, past, stage: Stage::Wished }
        };
        Self { calls: wishes.into_iter().map(doing).collect() }
    }

    pub(super) fn find(&mut self, call: &CallId) -> Option<&mut Doing> {
        self.calls.iter_mut().find(|doing| doing.wish.id == *call)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.calls.iter().all(|doing| matches!(doing.stage, Stage::Finished))
    }

    /// Whether nothing but a person's answer is waited for. A call that is only wished keeps nobody
    /// waiting: it is planned again after a restart, as it was before.
    pub(super) fn only_asks(&self) -> bool {
        let idle = |doing: &Doing| {
            matches!(doing.stage, Stage::Wished | Stage::Asking { .. } | Stage::Finished)
        };
        self.calls.iter().any(Doing::is_asked) && self.calls.iter().all(idle)
    }
}

impl Doing {
    /// Whether a person's answer is waited for, since before a restart perhaps.
    fn is_asked(&self) -> bool {
        match self.stage {
            Stage::Asking { .. } => true,
            Stage::Wished => matches!(self.past, Some(Past::Asked(..))),
            Stage::Allowed(_) | Stage::Running { .. } | Stage::Finished => false,
        }
    }

    /// The end of the call.
    pub(super) fn finish(
        &mut self,
        ending: ToolEnding,
        parts: Vec<Part>,
        sensitive: bool,
        took: Option<Duration>,
    ) -> EventKind {
        self.stage = Stage::Finished;
        EventKind::ToolFinished {
            item: self.item.clone(),
            call: self.wish.id.clone(),
            tool: self.wish.tool.clone(),
            ending,
            parts,
            sensitive,
            took,
        }
    }

    pub(super) fn finish_with(&mut self, ending: ToolEnding, text: impl Into<String>) -> EventKind {
        self.finish(ending, vec![Part::Text(text.into())], false, None)
    }

    /// What tells the same failing call from another: a hash, because arguments can be long and a
    /// turn remembers every call that failed.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.wish.tool, &self.wish.arguments).hash(&mut hasher);
        hasher.finish()
    }
}

impl Doing {
    /// Takes the policy's verdict: what is written of it.
    pub(super) fn take(
        &mut self,
        verdict: Verdict,
        class: Class,
        pattern: Option<String>,
        ctx: &Context<'_>,
    ) -> Vec<EventKind> {
        // What a person refused is not done, whatever has been allowed since.
        if let Some(Past::Denied(reason)) = &self.past {
            let text = denied(reason);
            return vec![self.finish_with(ToolEnding::Denied, text)];
        }
        let question = match verdict {
            Verdict::Allowed(call) => {
                let moot = self.moot(true, CHANGED);
                return moot.into_iter().chain([self.allow(call, class)]).collect();
            }
            Verdict::Denied(reason) => {
                let moot = self.moot(false, CHANGED);
                let denied = self.finish_with(ToolEnding::Denied, denied(&reason));
                return moot.into_iter().chain([denied]).collect();
            }
            Verdict::Ask(question) => question,
        };
        let digest = question.digest();
        match self.past.take() {
            // Shown, and allowed, before the daemon went down.
            Some(Past::Allowed(shown)) => match question.approved(&shown) {
                Ok(call) => vec![self.allow(call, class)],
                Err(question) => vec![self.ask(*question, class, pattern, ctx)],
            },
            Some(Past::Asked(approval, shown)) if shown == digest => {
                let question = Box::new(question);
                self.stage = Stage::Asking { approval, question, class };
                let text = "the daemon was restarted; the question still waits".to_owned();
                vec![EventKind::Notice { item: (ctx.fresh)(), level: Level::Info, text }]
            }
            past => {
                self.past = past;
                let moot = self.moot(false, CHANGED);
                let ask = self.ask(question, class, pattern, ctx);
                moot.into_iter().chain([ask]).collect()
            }
        }
    }

    /// The end of a question of before a restart that needs no answer any more.
    pub(super) fn moot(&mut self, allowed: bool, why: &str) -> Option<EventKind> {
        match self.past.take() {
            Some(Past::Asked(approval, _)) => Some(EventKind::ApprovalAnswered {
                approval,
                allowed,
                reach: Reach::Once,
                reason: why.to_owned(),
            }),
            _ => None,
        }
    }

    /// The question to a person.
    fn ask(
        &mut self,
        question: Question,
        class: Class,
        pattern: Option<String>,
        ctx: &Context<'_>,
    ) -> EventKind {
        let approval = ApprovalId::new((ctx.fresh)().as_str());
        let call = question.call();
        let kind = EventKind::ApprovalAsked {
            approval: approval.clone(),
            call: self.wish.id.clone(),
            tool: call.tool.clone(),
            arguments: call.arguments.to_string(),
            subject: policy::subject(&call.action),
            reason: question.reason.clone(),
            digest: question.digest(),
            pattern,
            expires_at: (ctx.answer_by)(),
        };
        self.stage = Stage::Asking { approval, question: Box::new(question), class };
        kind
    }

    /// It may be made: the intent of it.
    pub(super) fn allow(&mut self, call: Authorized<Call>, class: Class) -> EventKind {
        let kind = EventKind::ToolStarted {
            item: self.item.clone(),
            call: self.wish.id.clone(),
            tool: call.what().tool.clone(),
            arguments: call.what().arguments.to_string(),
            class,
            why: call.why().words(),
        };
        self.stage = Stage::Allowed(Box::new(call));
        kind
    }
}

/// Why a question of before a restart needs no answer any more.
const CHANGED: &str = "what is allowed has changed since it was asked";

/// What the model is told of a refusal.
pub(super) fn denied(reason: &str) -> String {
    if reason.is_empty() {
        "not allowed by the person".to_owned()
    } else {
        format!("not allowed: {reason}")
    }
}
