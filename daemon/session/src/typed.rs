//! Commands that are typed into a session, whatever the client: one table, and what each does.
//!
//! Each goes through the same doors as the calls of clients that have a button for it. Not here:
//! commands that are about a client's own screen. The invariant: a command that is not in the table
//! changes nothing.

use moltis_core::assistant::{
    Assistant as _, Caller, Change, CommandInfo, CommandReply, NewSession, Selector, StopScope,
};
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::FileChange;
use moltis_core::id::{OpId, SessionId, TurnId};
use moltis_core::models::ModelRef;
use moltis_core::policy::Mode;
use moltis_core::session::{Purpose, Settings, Summary};

use crate::find::nearest;
use crate::mailbox::Command;
use crate::sessions::Sessions;

const fn command(name: &'static str, argument: &'static str, help: &'static str) -> CommandInfo {
    CommandInfo { name, argument, help }
}

/// All of them, in the order of help.
pub(crate) const TABLE: &[CommandInfo] = &[
    command("new", "[TITLE]", "begin a new session"),
    command("clear", "", "the model is told nothing of what was before; the log stays"),
    command("compact", "", "put a summary in the place of what is old"),
    command("context", "", "show what the model is told"),
    command("model", "[PROVIDER/MODEL]", "show or choose the model"),
    command("agent", "[NAME|none]", "show or choose the kind of agent that the model works as"),
    command("mode", "[ask|on-miss|auto]", "show or choose what is done without asking"),
    command("sh", "COMMAND", "run a program in the sandbox; no model is asked"),
    command("stop", "[all]", "stop the answer; `all`: the waiting messages too"),
    command("diff", "", "show what the last turn changed in the workspace"),
    command("undo", "", "undo what the last turn changed in the workspace"),
    command("fork", "", "fork this session"),
    command("title", "TITLE", "give this session a title"),
    command("help", "[NAME]", "show the commands, or the help of one"),
];

/// What `/sh` says of itself.
const SH: &str = "/sh COMMAND runs a program in this session's sandbox at your own word: no model is \
    asked, and nobody asks you. Its output is part of the conversation from then on. /stop ends it, \
    /diff and /undo show and take back what it changed.";

/// What `/clear` says.
const CLEARED: &str = "the model is told nothing of what was before; the log keeps it, and there is no undo: \
    /fork before the next /clear keeps a session that knows";

/// Whom a command is from, and where it goes.
struct Asked<'a> {
    caller: &'a Caller,
    op: OpId,
    session: &'a SessionId,
    argument: &'a str,
}

impl Sessions {
    /// Does what a typed command says.
    pub(crate) async fn typed(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        line: &str,
    ) -> Result<CommandReply> {
        let line = line.trim();
        let line = line.strip_prefix('/').unwrap_or(line);
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let asked = Asked { caller, op, session, argument: argument.trim() };
        match name {
            "new" => self.typed_new(asked).await,
            "clear" => self.typed_clear(asked).await,
            "compact" => {
                let turn = self.compact(caller, asked.op, session).await?.turn;
                Ok(opened("the conversation is going to be compacted", turn))
            }
            "context" => self.typed_context(asked).await,
            "model" => self.typed_model(asked).await,
            "agent" => self.typed_agent(asked).await,
            "mode" => self.typed_mode(asked).await,
            "sh" => self.typed_sh(asked).await,
            "stop" => self.typed_stop(asked).await,
            "diff" => Ok(said(self.changes(session, None).await?.diff)),
            "undo" => self.typed_undo(asked).await,
            "fork" => self.typed_fork(asked).await,
            "title" => self.typed_title(asked).await,
            "help" => help(asked.argument),
            other => Err(unknown(other)),
        }
    }

    async fn typed_new(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let Asked { caller, op, argument, .. } = asked;
        let (title, settings) = (argument.to_owned(), Settings::default());
        let new = NewSession { op, key: None, title, settings };
        let id = self.create(caller, new).await?.id;
        Ok(CommandReply { text: format!("session {id}"), session: Some(id), turn: None })
    }

    async fn typed_clear(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let turn = self.open_for(asked, "clear", Purpose::Clear).await?;
        Ok(opened(CLEARED, turn))
    }

    async fn typed_sh(&self, asked: Asked<'_>) -> Result<CommandReply> {
        if asked.argument.is_empty() {
            return Ok(said(SH));
        }
        let purpose = Purpose::Run(asked.argument.to_owned());
        let turn = self.open_for(asked, "sh", purpose).await?;
        Ok(opened("", turn))
    }

    async fn open_for(&self, asked: Asked<'_>, action: &str, purpose: Purpose) -> Result<TurnId> {
        let Asked { caller, op, session, .. } = asked;
        self.tell_command(session, action, caller).await;
        let caller = caller.clone();
        self.ask(session, |reply| Command::Open { caller, op, purpose, reply }).await
    }

    async fn typed_context(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let window = self.context(asked.session).await?;
        let mut text = format!("{}: {} tokens, {} left\n", window.model, window.size, window.left);
        for one in &window.fragments {
            let kind = format!("{:?}", one.kind).to_lowercase();
            text.push_str(&format!("{:>8}  {kind} {}\n", one.tokens, one.name));
        }
        Ok(said(text.trim_end()))
    }

    async fn typed_model(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let summary = self.summary(asked.session).await?;
        if asked.argument.is_empty() {
            let model = summary.settings.model.as_ref().map(ToString::to_string);
            return Ok(said(model.unwrap_or_else(|| "the default model".to_owned())));
        }
        let model = Some(ModelRef::parse(asked.argument)?);
        let text = format!("this session asks {}", asked.argument);
        self.configured(asked, Settings { model, ..summary.settings }, text).await
    }

    async fn typed_mode(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let summary = self.summary(asked.session).await?;
        if asked.argument.is_empty() {
            let mode = summary.settings.approvals.map_or("as configured", Mode::as_str);
            return Ok(said(mode));
        }
        let mode = Mode::parse(asked.argument).ok_or_else(|| {
            let message = format!("`{}` is none of ask, on-miss, auto", asked.argument);
            Error::new(Code::Invalid, message)
        })?;
        let text = format!("done without asking: {}", mode.as_str());
        let settings = Settings { approvals: Some(mode), ..summary.settings };
        self.configured(asked, settings, text).await
    }

    async fn typed_agent(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let summary = self.summary(asked.session).await?;
        let (preset, text) = match asked.argument {
            "" => return self.agents(&summary).await,
            "none" => (None, "the model works as no kind of agent".to_owned()),
            name => (Some(name.to_owned()), format!("the model works as {name}")),
        };
        self.configured(asked, Settings { preset, ..summary.settings }, text).await
    }

    /// The kinds of agents that there are, and the agents that this session has at work.
    async fn agents(&self, summary: &Summary) -> Result<CommandReply> {
        let names = self.preset_names();
        let mut text = match names.is_empty() {
            true => "there are no kinds of agents; each is a file in agents/presets of the data directory"
                .to_owned(),
            false => format!("kinds of agents: {}", names.join(", ")),
        };
        let now = summary.settings.preset.as_deref().unwrap_or("none");
        text.push_str(&format!("\nthis session's model works as: {now}"));
        for child in self.at_work(&summary.id).await? {
            text.push_str(&format!("\nat work: {} {}", child.id, child.title));
        }
        Ok(said(text))
    }

    async fn configured(
        &self,
        asked: Asked<'_>,
        settings: Settings,
        text: String,
    ) -> Result<CommandReply> {
        let Asked { caller, op, session, .. } = asked;
        self.change(caller, op, session, Change::Settings(settings)).await?;
        Ok(said(text))
    }

    async fn typed_stop(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let Asked { caller, op, session, argument } = asked;
        let scope = match argument {
            "" => StopScope::Running,
            "all" => StopScope::All,
            other => {
                let message = format!("`{other}` is not `all`");
                return Err(Error::new(Code::Invalid, message));
            }
        };
        let stopped = self.stop(caller, op, session, scope).await?.len();
        Ok(said(if stopped == 0 { "nothing to stop" } else { "stopped" }))
    }

    async fn typed_undo(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let Asked { caller, op, session, .. } = asked;
        let undo = self.undo(caller, op, session, None).await?;
        let file = |file: &FileChange| format!("restored {}", file.path);
        let kept = |kept: &String| format!("left alone {kept}");
        let lines = undo.files.iter().map(file).chain(undo.kept.iter().map(kept));
        Ok(said(lines.collect::<Vec<_>>().join("\n")))
    }

    async fn typed_fork(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let Asked { caller, op, session, .. } = asked;
        let here = self.find(caller, &Selector::Id(session.clone())).await?;
        let id = self.fork(caller, op, session, here.last_seq).await?.id;
        Ok(CommandReply { text: format!("session {id}"), session: Some(id), turn: None })
    }

    async fn typed_title(&self, asked: Asked<'_>) -> Result<CommandReply> {
        let Asked { caller, op, session, argument } = asked;
        if argument.is_empty() {
            return Ok(said(self.summary(session).await?.title));
        }
        let title = Change::Title(argument.to_owned());
        let summary = self.change(caller, op, session, title).await?;
        Ok(said(summary.title))
    }
}

/// The commands, or the help of one.
fn help(name: &str) -> Result<CommandReply> {
    let name = name.strip_prefix('/').unwrap_or(name);
    let line = |one: &CommandInfo| {
        let call = format!("/{} {}", one.name, one.argument);
        format!("{:24} {}", call.trim_end(), one.help)
    };
    if name.is_empty() {
        return Ok(said(TABLE.iter().map(line).collect::<Vec<_>>().join("\n")));
    }
    match TABLE.iter().find(|one| one.name == name) {
        Some(one) if one.name == "sh" => Ok(said(format!("{}\n{SH}", line(one)))),
        Some(one) => Ok(said(line(one))),
        None => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Error {
    let error = Error::new(Code::NotFound, format!("there is no command `/{name}`"));
    match nearest(name, TABLE.iter().map(|one| one.name)).first() {
        Some(near) => error.with_hint(format!("did you mean `/{near}`?")),
        None => error.with_hint("/help lists them"),
    }
}

fn said(text: impl Into<String>) -> CommandReply {
    CommandReply { text: text.into(), ..CommandReply::default() }
}

fn opened(text: &str, turn: TurnId) -> CommandReply {
    CommandReply { turn: Some(turn), ..said(text) }
}
