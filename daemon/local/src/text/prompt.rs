//! A conversation as the model was trained to read it.
//!
//! The model file brings its own template (Jinja). Where it has none, or where its template
//! fails on a conversation, the form is guessed from the control tokens that the model has.

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context};
use moltis_core::message::{Message, Part, Role, text_of};
use serde::Serialize;

use super::Tokenizer;
use crate::error::{Error, Result};
use crate::gguf::Gguf;

const NAME: &str = "chat";
/// Steps that a template may take: plenty for 10,000 messages, and no endless loop.
const FUEL: u64 = 4_000_000;

/// What one side said in one go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Turn {
    role: &'static str,
    content: String,
}

impl Turn {
    #[cfg(test)]
    pub(crate) fn new(role: &'static str, content: &str) -> Self {
        Self { role, content: content.to_owned() }
    }
}

/// A request's conversation as turns that alternate, which many templates insist on.
pub(crate) fn turns(system: &str, messages: &[Message]) -> Vec<Turn> {
    let mut turns = Vec::new();
    if !system.trim().is_empty() {
        turns.push(Turn { role: "system", content: system.trim().to_owned() });
    }
    for message in messages {
        let (role, content) = match message.role {
            Role::User => ("user", user_text(&message.parts)),
            Role::Assistant => ("assistant", text_of(&message.parts)),
            Role::Tool => ("user", tool_text(&message.parts)),
        };
        if content.trim().is_empty() {
            continue;
        }
        match turns.last_mut() {
            Some(last) if last.role == role => {
                last.content.push_str("\n\n");
                last.content.push_str(&content);
            }
            _ => turns.push(Turn { role, content }),
        }
    }
    turns
}

fn user_text(parts: &[Part]) -> String {
    let pieces = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Image { .. } => Some("[an image that this model can't see]"),
        Part::Reasoning { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => None,
    });
    pieces.collect::<Vec<_>>().join("\n")
}

fn tool_text(parts: &[Part]) -> String {
    let pieces = parts.iter().filter_map(|part| match part {
        Part::ToolResult { text, .. } => Some(format!("Result of a tool:\n{text}")),
        _ => None,
    });
    pieces.collect::<Vec<_>>().join("\n\n")
}

/// The forms that are known without a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    ChatMl,
    Llama3,
    Gemma,
    /// For models that never learned a form.
    Plain,
}

/// Writes prompts for one model.
#[derive(Debug)]
pub(crate) struct Template {
    environment: Option<Environment<'static>>,
    form: Form,
    /// The template knows of thinking that can be switched off.
    reasons: bool,
}

impl Template {
    /// The template of a model.
    pub(crate) fn read(head: &Gguf, tokenizer: &Tokenizer) -> Self {
        Self::new(head.text("tokenizer.chat_template"), |token| tokenizer.has(token))
    }

    pub(crate) fn new(source: Option<&str>, has: impl Fn(&str) -> bool) -> Self {
        let form = if has("<|im_start|>") {
            Form::ChatMl
        } else if has("<|start_header_id|>") {
            Form::Llama3
        } else if has("<start_of_turn>") {
            Form::Gemma
        } else {
            Form::Plain
        };
        let environment = source.and_then(|source| match environment(source) {
            Ok(environment) => Some(environment),
            Err(error) => {
                tracing::warn!(%error, "the model's chat template does not parse; a form is guessed");
                None
            }
        });
        let reasons = source.is_some_and(|source| source.contains("enable_thinking"));
        Self { environment, form, reasons }
    }

    /// Whether thinking can be switched off and on.
    pub(crate) fn reasons(&self) -> bool {
        self.reasons
    }

    /// Writes a conversation up to where the answer begins.
    pub(crate) fn render(
        &self,
        turns: &[Turn],
        think: bool,
        tokenizer: &Tokenizer,
    ) -> Result<String> {
        let armored: Vec<Turn> = turns
            .iter()
            .map(|turn| Turn { role: turn.role, content: tokenizer.armor(&turn.content) })
            .collect();
        self.write(&armored, think, tokenizer.bos_text(), tokenizer.eos_text())
    }

    fn write(&self, turns: &[Turn], think: bool, bos: &str, eos: &str) -> Result<String> {
        if turns.iter().all(|turn| turn.role != "user") {
            return Err(Error::Template("there is no message to answer".to_owned()));
        }
        let Some(environment) = &self.environment else { return Ok(self.guess(turns, bos)) };
        let run = |turns: &[Turn]| {
            environment.get_template(NAME)?.render(context! {
                messages => turns,
                add_generation_prompt => true,
                bos_token => bos,
                eos_token => eos,
                enable_thinking => think,
            })
        };
        // Some templates refuse a system message; the first message of the person then carries it.
        match run(turns)
            .or_else(|error| fold_system(turns).map_or(Err(error), |folded| run(&folded)))
        {
            Ok(text) => Ok(text),
            Err(error) => {
                tracing::warn!(%error, "the model's chat template failed; a form is guessed");
                Ok(self.guess(turns, bos))
            }
        }
    }

    fn guess(&self, turns: &[Turn], bos: &str) -> String {
        match self.form {
            Form::ChatMl => {
                let said = turns
                    .iter()
                    .map(|turn| format!("<|im_start|>{}\n{}<|im_end|>\n", turn.role, turn.content));
                said.collect::<String>() + "<|im_start|>assistant\n"
            }
            Form::Llama3 => {
                let head = |role| format!("<|start_header_id|>{role}<|end_header_id|>\n\n");
                let said = turns
                    .iter()
                    .map(|turn| format!("{}{}<|eot_id|>", head(turn.role), turn.content.trim()));
                format!("{bos}{}{}", said.collect::<String>(), head("assistant"))
            }
            Form::Gemma => {
                let folded = fold_system(turns).unwrap_or_else(|| turns.to_vec());
                let said = folded.iter().map(|turn| {
                    let role = if turn.role == "assistant" { "model" } else { "user" };
                    format!("<start_of_turn>{role}\n{}<end_of_turn>\n", turn.content.trim())
                });
                format!("{bos}{}<start_of_turn>model\n", said.collect::<String>())
            }
            Form::Plain => {
                let said = turns.iter().map(|turn| match turn.role {
                    "system" => format!("{}\n\n", turn.content),
                    "assistant" => format!("Assistant: {}\n", turn.content),
                    _ => format!("User: {}\n", turn.content),
                });
                format!("{bos}{}Assistant:", said.collect::<String>())
            }
        }
    }
}

/// The same conversation with the system's words at the head of the first message.
fn fold_system(turns: &[Turn]) -> Option<Vec<Turn>> {
    let (system, rest) = turns.split_first().filter(|(first, _)| first.role == "system")?;
    let mut rest = rest.to_vec();
    let first = rest.first_mut().filter(|first| first.role == "user")?;
    first.content = format!("{}\n\n{}", system.content, first.content);
    Some(rest)
}

fn environment(source: &str) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(FUEL));
    // Templates are written for Python and call methods of its strings.
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function(
        "raise_exception",
        |text: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, text))
        },
    );
    environment.add_function("strftime_now", |format: String| {
        jiff::fmt::strtime::format(format, jiff::Timestamp::now())
            .map_err(|error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()))
    });
    environment.add_template_owned(NAME, source.to_owned())?;
    Ok(environment)
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
