//! A line that can't be understood, said in the way of all errors.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::client::Failure;
use crate::output::report;

/// Prints the help or version that was asked for, or what is wrong with the line.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let printed = error.print().and_then(|()| io::stdout().flush());
        return match printed {
            // A reader that has enough is nothing wrong.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
            Ok(()) | Err(_) => ExitCode::SUCCESS,
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // The help says it better than a line could; it goes to stderr.
        return match error.print() {
            Ok(()) | Err(_) => ExitCode::from(2),
        };
    }
    let json = std::env::args_os().skip(1).any(|word| word == "--json");
    let failure = explain(&error.render().to_string());
    report("this makes no sense", &failure, json);
    ExitCode::from(failure.exit)
}

/// clap's paragraphs as one sentence and a hint.
fn explain(text: &str) -> Failure {
    let mut paragraphs = text.split("\n\n");
    let what = paragraphs.next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(what);
    let message = what.split_whitespace().collect::<Vec<_>>().join(" ");
    let tip = paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: "));
    let failure = Failure::usage(message);
    match tip {
        Some(tip) => failure.with_hint(tip.split_whitespace().collect::<Vec<_>>().join(" ")),
        None => failure.with_hint("moltis --help"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::cli::Cli;

    fn said(words: &[&str]) -> String {
        let error = Cli::try_parse_from(words).unwrap_err();
        let failure = explain(&error.render().to_string());
        format!("{}\nhint: {}\n", failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn a_mistake_is_one_line_and_a_hint() {
        expect![[r#"
            unexpected argument '--modle' found
            hint: a similar argument exists: '--model'
        "#]]
        .assert_eq(&said(&["moltis", "send", "--modle", "x"]));
        expect![[r#"
            the following required arguments were not provided: <NAME>
            hint: moltis --help
        "#]]
        .assert_eq(&said(&["moltis", "models", "pull"]));
    }
}
