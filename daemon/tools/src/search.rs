//! Finding a tool among many: `tool_search`, and the ranking behind it.
//!
//! Not here: which tools a prompt has; the session decides that. The invariant: the ranking is a
//! pure function of the list and the query, so the same search gives the same hits.

use std::cmp::Reverse;
use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool, Toolbox};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::schema::{self, schema};

/// Tools that a search gives at most.
const HITS: usize = 15;

/// The tools that fit a query best, best first: at most 15. A tool of exactly that name comes
/// alone; otherwise words count in names most, then in descriptions, then in parameters. An empty
/// query is the first ones of the list.
pub fn search<'a>(specs: &'a [ToolSpec], query: &str) -> Vec<&'a ToolSpec> {
    let query = query.trim().to_lowercase();
    if let Some(exact) = specs.iter().find(|spec| spec.name.to_lowercase() == query) {
        return vec![exact];
    }
    let words: Vec<&str> = query
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut ranked: Vec<(u32, &ToolSpec)> = specs
        .iter()
        .map(|spec| (score(spec, &words), spec))
        .filter(|(score, _)| *score > 0 || words.is_empty())
        .collect();
    // Stable: equals stay in the order of the list.
    ranked.sort_by_key(|(score, _)| Reverse(*score));
    ranked.into_iter().take(HITS).map(|(_, spec)| spec).collect()
}

fn score(spec: &ToolSpec, words: &[&str]) -> u32 {
    let name = spec.name.to_lowercase();
    let parts: Vec<&str> = name.split(|letter: char| !letter.is_alphanumeric()).collect();
    let description = spec.description.to_lowercase();
    let parameters: Vec<String> = spec.parameters["properties"]
        .as_object()
        .map(|properties| properties.keys().map(|key| key.to_lowercase()).collect())
        .unwrap_or_default();
    words
        .iter()
        .map(|word| {
            let in_name = if parts.contains(word) { 8 } else { 4 * u32::from(name.contains(word)) };
            let in_text = 2 * u32::from(description.contains(word));
            in_name + in_text + u32::from(parameters.iter().any(|name| name.contains(word)))
        })
        .sum()
}

/// The tool that finds tools.
pub struct ToolSearch {
    spec: ToolSpec,
    tools: Arc<dyn Toolbox>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    query: String,
}

impl ToolSearch {
    /// Searches these tools.
    pub fn new(tools: Arc<dyn Toolbox>) -> Arc<Self> {
        let spec = ToolSpec {
            name: "tool_search".to_owned(),
            description: "Finds more tools, by name or by words of what they do, and tells their \
                          parameters. What it finds can be called."
                .to_owned(),
            parameters: schema(1, &[("query", json!({"type": "string"}))]),
        };
        Arc::new(Self { spec, tools })
    }
}

#[async_trait]
impl Tool for ToolSearch {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Read
    }

    fn plan(&self, arguments: &Value, _scene: &Scene) -> Result<Action, String> {
        schema::read::<Arguments>(&self.spec, arguments).map(|_| Action::Inward)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        let arguments: Arguments = match schema::read(&self.spec, &call.what().arguments) {
            Ok(arguments) => arguments,
            Err(wrong) => return Outcome::failed(wrong),
        };
        let specs: Vec<ToolSpec> =
            self.tools.tools(scene).iter().map(|tool| tool.spec().clone()).collect();
        let hits = search(&specs, &arguments.query);
        if hits.is_empty() {
            return Outcome::said(format!("No tool fits `{}`.", arguments.query));
        }
        let lines: Vec<String> = hits.into_iter().map(|spec| json(spec).to_string()).collect();
        Outcome::said(lines.join("\n"))
    }
}

/// A tool as vendors are told it.
pub(crate) fn json(spec: &ToolSpec) -> Value {
    json!({
        "name": spec.name, "description": spec.description, "parameters": spec.parameters,
    })
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
