//! `moltis completions`: the script that a shell needs to ask this program.

use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use serde_json::json;

use super::context::Context;
use crate::client::Failure;

/// Words of `moltis completions`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Shell {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Prints the script.
pub(super) fn run(context: &Context, args: &CompletionsArgs) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    shell
        .write_registration("COMPLETE", "moltis", "moltis", "moltis", &mut script)
        .map_err(|error| Failure::io("cannot write the script", &error))?;
    let script = mended(args.shell, &String::from_utf8_lossy(&script));
    if context.output.json {
        return context.output.json(&json!({ "shell": args.shell.name(), "script": script }));
    }
    context.output.raw(&script)
}

/// What the generated scripts lack: bash splits words at `:`, which models have in their names; zsh
/// loads a file at the first Tab and takes it for the completion itself.
fn mended(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => format!("COMP_WORDBREAKS=${{COMP_WORDBREAKS//:}}\n{}", script.trim_start()),
        Shell::Zsh => {
            let define = "compdef _clap_dynamic_completer_moltis moltis";
            let either = format!(
                "if [[ \"${{funcstack[1]}}\" == _moltis ]]; then\n    \
                 _clap_dynamic_completer_moltis \"$@\"\nelse\n    {define}\nfi"
            );
            script.trim_start().replace(define, &either)
        }
        Shell::Elvish | Shell::Fish | Shell::Powershell => script.to_owned(),
    }
}
