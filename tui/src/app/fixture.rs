//! Chats for tests, made the way they come to be: by messages through `update`.
//!
//! It plays the daemon and the person, and decides nothing: what a test sees is what the model made
//! of it. Every event that it gives is kept, so that a test can give them again to a fresh model.

use moltis_proto::v1::{self, attach_response::Feed, event::Kind as Fact, part::Part};

use super::{Cmd, Model, Moment, Msg, Reply, Said, Trouble, update};
use crate::keymap::{Code, Key};

/// Two minutes past two in the afternoon, UTC.
pub(crate) const NOON: i64 = 20_000 * 86_400 + 14 * 3_600 + 2 * 60;

/// A chat, and the daemon and the person around it.
pub(crate) struct Chat {
    pub(crate) model: Model,
    /// What was to be done about the last message.
    pub(crate) cmds: Vec<Cmd>,
    /// What was to be done since the beginning.
    pub(crate) asked: Vec<Cmd>,
    /// The events of the session so far.
    pub(crate) events: Vec<v1::Event>,
    /// The session, when a snapshot of it is given.
    pub(crate) session: v1::Session,
    now: Moment,
    turn: String,
    items: u64,
}

impl Chat {
    /// A client that was started and knows nothing.
    pub(crate) fn starting(width: u16, height: u16) -> Self {
        let mut model = Model::new(width, height, 0, "op".into());
        let cmds = model.begin(None);
        Self {
            model,
            asked: cmds.clone(),
            cmds,
            events: Vec::new(),
            session: session("s1", "Trip to Prague"),
            now: Moment { ms: 1_000, unix: NOON },
            turn: String::new(),
            items: 0,
        }
    }

    /// An empty session, attached.
    pub(crate) fn open(width: u16, height: u16) -> Self {
        let mut chat = Self::starting(width, height);
        chat.attach(1).caught_up();
        chat.say(Said::Reply(Box::new(Reply::Models(Ok(models())))));
        chat
    }

    /// Tells the model something; what it wants done is in `cmds`.
    pub(crate) fn say(&mut self, said: Said) -> &mut Self {
        self.cmds = update(&mut self.model, Msg { at: self.now, said });
        self.asked.extend(self.cmds.iter().cloned());
        self
    }

    /// The answer to a command.
    pub(crate) fn reply(&mut self, reply: Reply) -> &mut Self {
        self.say(Said::Reply(Box::new(reply)))
    }

    /// Time goes by.
    pub(crate) fn after(&mut self, ms: u64) -> &mut Self {
        self.now.ms += ms;
        self.now.unix = NOON + i64::try_from((self.now.ms - 1_000) / 1_000).unwrap();
        self.say(Said::Tick)
    }

    /// Presses keys: `C-x l`.
    pub(crate) fn press(&mut self, keys: &str) -> Vec<Cmd> {
        for key in keys.split(' ') {
            let key = Key::parse(key).unwrap_or_else(|| panic!("no key {key}"));
            self.say(Said::Key(key));
        }
        self.cmds.clone()
    }

    /// Types text, letter by letter.
    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            let key = if letter == '\n' {
                Key::parse("C-j").unwrap()
            } else {
                Key::plain(Code::Char(letter))
            };
            self.say(Said::Key(key));
        }
        self
    }

    /// Types a message and sends it; gives what is to be done.
    pub(crate) fn send(&mut self, text: &str) -> Vec<Cmd> {
        self.types(text);
        self.press("Enter")
    }

    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        self.say(Said::Paste(text.into()))
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) -> &mut Self {
        self.say(Said::Resize { width, height })
    }
}

/// The daemon.
impl Chat {
    /// The connection stands and the session's feed begins at this seq.
    pub(crate) fn attach(&mut self, first_seq: u64) -> &mut Self {
        let (epoch, session) = (self.model.epoch, self.session.clone());
        self.say(Said::Opened { epoch, session: Box::new(session.clone()) });
        self.say(Said::Up { build: "1.0.0".into() });
        self.feed(Feed::Snapshot(v1::Snapshot { session: Some(session), first_seq }))
    }

    pub(crate) fn caught_up(&mut self) -> &mut Self {
        self.feed(Feed::CaughtUp(v1::CaughtUp {}))
    }

    pub(crate) fn lose(&mut self) -> &mut Self {
        self.say(Said::Down(trouble("unavailable", "the daemon is restarting")))
    }

    pub(crate) fn feed(&mut self, feed: Feed) -> &mut Self {
        self.say(Said::Fed { epoch: self.model.epoch, feed: Box::new(feed) })
    }

    /// A fact of the running turn.
    pub(crate) fn fact(&mut self, fact: Fact) -> &mut Self {
        let turn = self.turn.clone();
        self.fact_of(&turn, fact)
    }

    pub(crate) fn fact_of(&mut self, turn: &str, fact: Fact) -> &mut Self {
        let event = self.record(turn, fact);
        self.feed(Feed::Event(event))
    }

    /// An event that happened while nobody watched.
    pub(crate) fn record(&mut self, turn: &str, fact: Fact) -> v1::Event {
        let event = v1::Event {
            session: self.session.id.clone(),
            seq: self.events.last().map_or(0, |last| last.seq) + 1,
            at: Some(at(self.now.unix)),
            turn: turn.into(),
            kind: Some(fact),
            ..v1::Event::default()
        };
        self.events.push(event.clone());
        self.session.last_seq = event.seq;
        event
    }

    /// Gives the events from this place on.
    pub(crate) fn give(&mut self, from: usize) -> &mut Self {
        let events = self.events[from..].to_vec();
        for event in events {
            self.feed(Feed::Event(event));
        }
        self
    }

    /// A client that sees for the first time what this one saw.
    pub(crate) fn replay(&self) -> Self {
        let mut chat = Self::open(self.model.width, self.model.height);
        chat.events.clone_from(&self.events);
        chat.give(0);
        chat
    }

    /// The person says something and a turn starts with it.
    pub(crate) fn person(&mut self, text: &str) -> &mut Self {
        self.turn = format!("t{}", self.events.len());
        self.fact(user(text)).fact(Fact::TurnStarted(v1::TurnStarted::default()))
    }

    /// The person says something while a turn runs.
    pub(crate) fn waits(&mut self, turn: &str, text: &str) -> &mut Self {
        self.fact_of(turn, user(text))
    }

    pub(crate) fn starts(&mut self, turn: &str) -> &mut Self {
        self.turn = turn.into();
        self.fact(Fact::TurnStarted(v1::TurnStarted::default()))
    }

    /// The person has a program run, and its turn starts.
    pub(crate) fn asked_program(&mut self, turn: &str, command: &str) -> &mut Self {
        let command = command.into();
        self.fact_of(turn, Fact::ProgramAsked(v1::ProgramAsked { command })).starts(turn)
    }

    /// The whole of an answer, and the turn's good end.
    pub(crate) fn answer(&mut self, text: &str) -> &mut Self {
        self.answers(vec![words(text)]).ends(v1::Ending::Done)
    }

    /// A finished answer; the turn goes on.
    pub(crate) fn answers(&mut self, parts: Vec<v1::Part>) -> &mut Self {
        self.items += 1;
        let item = format!("i{}", self.items);
        self.fact(answer(&item, parts))
    }

    pub(crate) fn ends(&mut self, ending: v1::Ending) -> &mut Self {
        self.fact(Fact::TurnEnded(v1::TurnEnded {
            ending: ending.into(),
            ..v1::TurnEnded::default()
        }))
    }

    pub(crate) fn fails(&mut self, message: &str, hint: &str) -> &mut Self {
        let failure =
            v1::TurnFailure { kind: "auth".into(), message: message.into(), hint: hint.into() };
        self.fact(Fact::TurnEnded(v1::TurnEnded {
            ending: v1::Ending::Failed.into(),
            failure: Some(failure),
            ..v1::TurnEnded::default()
        }))
    }

    pub(crate) fn notice(&mut self, level: v1::Level, text: &str) -> &mut Self {
        let (level, text) = (level.into(), text.into());
        self.fact(Fact::Notice(v1::Notice { item: "n".into(), level, text }))
    }

    /// A piece of the answer that comes next.
    pub(crate) fn streams(&mut self, strand: v1::Strand, offset: u64, text: &str) -> &mut Self {
        let delta = v1::Delta {
            turn: self.turn.clone(),
            item: format!("i{}", self.items + 1),
            strand: strand.into(),
            offset,
            text: text.into(),
            call: "c1".into(),
            tool: "mail.search".into(),
            ..v1::Delta::default()
        };
        self.feed(Feed::Delta(delta))
    }

    /// A call of a tool begins.
    pub(crate) fn begins(&mut self, id: &str, tool: &str, arguments: &str) -> &mut Self {
        self.fact(Fact::ToolStarted(v1::ToolStarted {
            item: format!("item-{id}"),
            call: id.into(),
            tool: tool.into(),
            arguments: arguments.into(),
            class: "once".into(),
            why: "the mode allows it".into(),
        }))
    }

    /// A call of a tool ends.
    pub(crate) fn finishes(&mut self, id: &str, tool: &str, ending: &str, text: &str) -> &mut Self {
        self.fact(Fact::ToolFinished(v1::ToolFinished {
            item: format!("item-{id}"),
            call: id.into(),
            tool: tool.into(),
            ending: ending.into(),
            parts: vec![words(text)],
            sensitive: false,
            took: Some(prost_types::Duration { seconds: 1, nanos: 200_000_000 }),
        }))
    }

    /// A running tool prints.
    pub(crate) fn prints(&mut self, id: &str, offset: u64, text: &str) -> &mut Self {
        let delta = v1::Delta {
            turn: self.turn.clone(),
            item: format!("item-{id}"),
            strand: v1::Strand::Output.into(),
            offset,
            text: text.into(),
            call: id.into(),
            ..v1::Delta::default()
        };
        self.feed(Feed::Delta(delta))
    }

    /// A call waits for the person.
    pub(crate) fn asks(&mut self, id: &str, tool: &str, subject: &str, rest: &str) -> &mut Self {
        let name = if tool == "web_fetch" { "url" } else { "command" };
        let subject_json = serde_json::Value::from(subject);
        let document = format!("{{\"{name}\":{subject_json}{rest}}}");
        // As the daemon writes it.
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        self.fact(Fact::ApprovalAsked(v1::ApprovalAsked {
            approval: format!("q-{id}"),
            call: id.into(),
            tool: tool.into(),
            arguments: document.to_string(),
            subject: subject.into(),
            reason: "it is not on the list of what is allowed".into(),
            digest: format!("digest-{id}"),
            pattern: format!("{tool}: {}", subject.split(' ').next().unwrap_or_default()),
            expires_at: Some(at(self.now.unix + 300)),
        }))
    }

    /// A client of that name answers; an empty name is the daemon.
    pub(crate) fn answered(&mut self, id: &str, allowed: bool, reach: &str, by: &str) -> &mut Self {
        let turn = self.turn.clone();
        let mut event = self.record(
            &turn,
            Fact::ApprovalAnswered(v1::ApprovalAnswered {
                approval: format!("q-{id}"),
                allowed,
                reach: reach.into(),
                reason: String::new(),
            }),
        );
        event.cause = Some(v1::Cause { kind: v1::CauseKind::Client.into(), name: by.into() });
        self.feed(Feed::Event(event))
    }

    /// So many short exchanges, in one go.
    pub(crate) fn exchanges(&mut self, count: u64) -> &mut Self {
        for number in 1..=count {
            self.person(&format!("question {number}")).answer(&format!("answer {number}"));
        }
        self
    }
}

pub(crate) fn at(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds, nanos: 0 }
}

pub(crate) fn trouble(code: &str, message: &str) -> Trouble {
    Trouble { code: code.into(), message: message.into(), hint: String::new() }
}

pub(crate) fn session(id: &str, title: &str) -> v1::Session {
    v1::Session {
        id: id.into(),
        title: title.into(),
        updated_at: Some(at(NOON - 240)),
        ..v1::Session::default()
    }
}

pub(crate) fn words(text: &str) -> v1::Part {
    v1::Part { part: Some(Part::Text(text.into())) }
}

pub(crate) fn thought(text: &str) -> v1::Part {
    let reasoning = v1::Reasoning { text: text.into(), signature: String::new() };
    v1::Part { part: Some(Part::Reasoning(reasoning)) }
}

pub(crate) fn call(name: &str, arguments: &str) -> v1::Part {
    call_of("c1", name, arguments)
}

pub(crate) fn call_of(id: &str, name: &str, arguments: &str) -> v1::Part {
    let call = v1::ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() };
    v1::Part { part: Some(Part::ToolCall(call)) }
}

/// A message of the person, of no client.
pub(crate) fn user(text: &str) -> Fact {
    user_of("", text)
}

/// A message of the person that a client sent under this name.
pub(crate) fn user_of(op: &str, text: &str) -> Fact {
    Fact::UserMessage(v1::UserMessage {
        item: "u".into(),
        op_id: op.into(),
        parts: vec![words(text)],
        ..v1::UserMessage::default()
    })
}

pub(crate) fn answer(item: &str, parts: Vec<v1::Part>) -> Fact {
    Fact::AssistantMessage(v1::AssistantMessage {
        item: item.into(),
        parts,
        model: "openai/gpt-5".into(),
        usage: Some(v1::Usage {
            input_tokens: 1_200,
            output_tokens: 340,
            cost_microusd: 4_200,
            ..v1::Usage::default()
        }),
        finish: v1::FinishReason::Stop.into(),
        first_token: Some(prost_types::Duration { seconds: 0, nanos: 432_000_000 }),
        took: Some(prost_types::Duration { seconds: 3, nanos: 100_000_000 }),
        partial: false,
        estimated_tokens: 0,
    })
}

/// What a model is told, with a window of so many tokens.
pub(crate) fn told(model: &str, window: u64) -> v1::ContextResponse {
    let part = |kind: &str, count, tokens| v1::Fragment {
        kind: kind.into(),
        count,
        tokens,
        ..v1::Fragment::default()
    };
    v1::ContextResponse {
        model: model.into(),
        window,
        guessed: false,
        fragments: vec![
            v1::Fragment { name: "AGENTS.md".into(), cut: true, ..part("system", 1, 20) },
            part("summary", 1, 1_240),
            part("messages", 14, 41_300),
            part("images", 2, 2_000),
        ],
        left: window.saturating_sub(44_560),
        compact_at: window / 4 * 3,
        left_out: true,
        due: false,
        counted: true,
    }
}

pub(crate) fn models() -> v1::ListModelsResponse {
    let model = |id: &str, window, input, output| v1::Model {
        id: id.into(),
        context_window: window,
        price: Some(v1::Price { input, output, ..v1::Price::default() }),
        images: true,
        reasoning: true,
        ..v1::Model::default()
    };
    v1::ListModelsResponse {
        models: vec![
            model("anthropic/claude-sonnet-4-5", 200_000, 3_000_000, 15_000_000),
            model("openai/gpt-5", 400_000, 1_250_000, 10_000_000),
            v1::Model {
                id: "local/smollm2-135m".into(),
                context_window: 2_048,
                local: true,
                ..v1::Model::default()
            },
        ],
        default: "openai/gpt-5".into(),
        failures: vec![v1::ProviderFailure {
            provider: "groq".into(),
            reason: "the key was refused".into(),
        }],
    }
}
