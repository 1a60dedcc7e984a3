//! What works without a running daemon: checking the configuration, checking and restoring the store.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use moltis_config::{Place, Problem, Severity};
use moltis_core::journal::CheckReport;
use moltis_core::{Code, Error, Result};
use serde_json::{Value, json};

use crate::configuration::Configuration;
use crate::settings::SCHEMA;

/// Prints the complete, commented file.
pub(crate) fn template() -> Result<ExitCode> {
    print(&moltis_config::template(&SCHEMA))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what is wrong with the configuration: a line each, or one JSON document.
pub(crate) fn check_config(configuration: &Configuration, json: bool) -> Result<ExitCode> {
    let (path, problems) = configuration.check()?;
    let usable = problems.iter().all(|problem| problem.severity != Severity::Error);
    if json {
        let problems: Vec<Value> = problems.iter().map(|problem| to_json(problem, &path)).collect();
        let document = json!({"path": path, "ok": usable, "problems": problems});
        print(&format!("{document}\n"))?;
    } else {
        for problem in &problems {
            print(&format!("{}: {}\n", problem.severity, problem.line(&path)))?;
            if let Some(hint) = &problem.hint {
                print(&format!("  hint: {hint}\n"))?;
            }
        }
        if problems.is_empty() {
            print(&format!("{}: all is well\n", path.display()))?;
        }
    }
    Ok(ExitCode::from(u8::from(!usable)))
}

fn to_json(problem: &Problem, path: &Path) -> Value {
    let (line, column) = match &problem.place {
        Place::File { line, column } => (Some(line), Some(column)),
        Place::Env(_) | Place::Flag(_) | Place::Whole => (None, None),
    };
    json!({
        "severity": problem.severity.to_string(),
        "key": problem.key,
        "line": line,
        "column": column,
        "place": problem.line(path).strip_suffix(&problem.message).unwrap_or_default().trim_end_matches(": "),
        "message": problem.message,
        "hint": problem.hint,
    })
}

/// Checks the store hash by hash, if asked to after what follows from the events was made anew.
pub(crate) fn fsck(data_dir: &Path, rebuild: bool, json: bool) -> Result<ExitCode> {
    let checked = if rebuild {
        let hint = "moltis sessions delete SESSION, or moltis restore FILE";
        moltis_store::rebuild_offline(data_dir).map_err(|error| in_store(error, Some(hint)))
    } else {
        moltis_store::check_offline(data_dir).map_err(|error| in_store(error, None))
    };
    report(&checked?, json)
}

/// Replaces the store by a backup.
pub(crate) fn restore(backup: &Path, data_dir: &Path, json: bool) -> Result<ExitCode> {
    let restored = moltis_store::restore(backup, data_dir).map_err(|error| in_store(error, None));
    report(&restored?, json)
}

/// To check the store, the usual hint at damage, is no news here.
fn in_store(error: moltis_store::Error, at_damage: Option<&str>) -> Error {
    let damaged = matches!(error, moltis_store::Error::Damaged(_));
    let error = Error::from(error);
    if damaged { Error { hint: at_damage.map(str::to_owned), ..error } } else { error }
}

fn report(report: &CheckReport, json: bool) -> Result<ExitCode> {
    let CheckReport { sessions, events, problems, rebuild_mends } = report;
    if json {
        let document = json!({
            "sessions": sessions, "events": events, "problems": problems,
            "rebuild_mends": rebuild_mends,
        });
        print(&format!("{document}\n"))?;
    } else {
        print(&format!("{sessions} sessions, {events} events\n"))?;
        for problem in problems {
            print(&format!("{problem}\n"))?;
        }
        if *rebuild_mends {
            print("  hint: moltis fsck --rebuild\n")?;
        }
    }
    Ok(ExitCode::from(u8::from(!problems.is_empty())))
}

pub(crate) fn print(text: &str) -> Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::new(Code::Internal, format!("write to stdout: {error}")))
}
