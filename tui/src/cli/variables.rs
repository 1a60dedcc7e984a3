//! `moltis sandbox env`: what programs in the sandbox find in their environment.
//!
//! Values go in, from the terminal or standard input, and are never shown: of a variable there is
//! its name.

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::{ListVariablesRequest, RemoveVariableRequest, SetVariableRequest};
use serde_json::{Value, json};

use super::context::Context;
use super::{complete, login};
use crate::client::{Failure, call};

/// Words of `moltis sandbox env`.
#[derive(Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// List the names of the variables
    List,
    /// Store a variable, its value read from the terminal or standard input
    Set {
        /// Its name
        #[arg(add = ArgValueCandidates::new(complete::variables))]
        name: String,
    },
    /// Forget a variable
    Remove {
        /// Its name
        #[arg(add = ArgValueCandidates::new(complete::variables))]
        name: String,
    },
}

impl EnvCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::List => "cannot list the variables",
            Self::Set { .. } => "cannot store the variable",
            Self::Remove { .. } => "cannot forget the variable",
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: EnvCommand) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let output = &context.output;
    match command {
        EnvCommand::List => {
            let list = client.caller.call(&call::VARIABLES, &ListVariablesRequest {}).await?;
            let names = list.names;
            if output.json {
                return output.json(&Value::from(names));
            }
            if names.is_empty() {
                output.note("no variable is stored; `moltis sandbox env set NAME` stores one");
            }
            names.iter().try_for_each(|name| output.line(name))
        }
        EnvCommand::Set { name } => {
            let value = login::secret(&format!("Value of {name}"))?;
            if value.is_empty() {
                return Err(Failure::usage("no value was given"));
            }
            let request = SetVariableRequest { name: name.clone(), value };
            client.caller.call(&call::SET_VARIABLE, &request).await?;
            let line = format!("{name} is stored: programs that start from now on find it");
            output.either(&json!({ "name": name }), &line)
        }
        EnvCommand::Remove { name } => {
            let request = RemoveVariableRequest { name: name.clone() };
            let removed = client.caller.call(&call::REMOVE_VARIABLE, &request).await?.removed;
            let line = if removed {
                format!("{name} is forgotten")
            } else {
                format!("no variable {name} was stored")
            };
            output.either(&json!({ "name": name, "removed": removed }), &line)
        }
    }
}
