//! A program that runs to its end in a container, or to the end of its time.
//!
//! When its time is over everything that it began is ended, whatever it did to hide: what is not
//! known to belong to something else that may go on. Where that can't be done from inside, or not in
//! a second, the container is ended with all in it.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use moltis_core::error::{Code, Error, Result};
use moltis_core::sandbox::Exit;
use moltis_core::tool::{Output, Run};
use tokio::time::{sleep, timeout};

use super::held::Container;
use super::runtime::{Failure, Piece, Program};
use super::spec::{HOME, WORKSPACE};
use crate::output::Collector;

/// Ends processes from inside.
const KILL: &str = include_str!("kill.sh");

/// The longest that this may take.
const KILLING: Duration = Duration::from_secs(1);

/// The longest that is waited for the output of programs that were ended.
const REST: Duration = Duration::from_millis(300);

/// The exit code of a program that was killed.
const KILLED: i64 = 128 + 9;

/// Runs a program.
pub(super) async fn exec(
    container: &Container,
    run: &Run,
    workspace: bool,
    variables: Vec<String>,
    output: &dyn Output,
) -> Result<Exit, Failure> {
    let directory = directory(&run.directory, workspace)?;
    let began = Instant::now();
    let live = container.mark()?;
    let shell = ["/bin/sh", "-c", &run.command];
    let begun = container.run(&shell, &directory, &live.mark, variables).await;
    let mut program = match begun {
        Err(Failure::Error(_)) if !container.is_up().await => return Err(Failure::Gone),
        begun => begun?,
    };
    let mut printed = Collector::new(output);
    let in_time = {
        let over = sleep(run.timeout);
        tokio::pin!(over);
        tokio::select! {
            biased;
            () = &mut over => None,
            code = read(&mut program, &mut printed) => Some(code),
        }
    };
    let (code, ended_by) = if let Some(ended) = in_time {
        let code = judged(container, ended).await?;
        (code, out_of_memory(container, code).await)
    } else {
        drop(live);
        if !end_others(container).await {
            output.push("\n… the time is over; the whole sandbox was ended\n");
        }
        // What was printed up to then; programs that are ended close their output.
        let _ = timeout(REST, read(&mut program, &mut printed)).await;
        (KILLED, Some("timeout".to_owned()))
    };
    let (stdout, stderr) = printed.finish();
    Ok(Exit { code, stdout, stderr, ended_by, took: began.elapsed() })
}

/// Takes what it prints until it ends; gives its exit code.
async fn read(program: &mut Program, printed: &mut Collector<'_>) -> Result<i64> {
    while let Some(piece) = program.next().await {
        match piece? {
            Piece::Stderr(message) => printed.stderr(&message),
            Piece::Stdout(message) => printed.stdout(&message),
            Piece::Exit(code) => return Ok(code),
        }
    }
    Err(Error::new(Code::Unavailable, "the engine does not say how the program ended"))
}

/// How a program ended; where that is not known, whether its sandbox has ended with it.
async fn judged(container: &Container, ended: Result<i64>) -> Result<i64> {
    match ended {
        Ok(code) => Ok(code),
        Err(error) if container.is_up().await => Err(error),
        Err(_) => {
            let text = "the sandbox was ended while the program ran, with everything in it";
            let hint = "it was stopped, or used up its memory; the next program gets a new one";
            Err(Error::new(Code::Conflict, text).with_hint(hint))
        }
    }
}

/// Ends all but what may go on. Says whether the container survived it.
async fn end_others(container: &Container) -> bool {
    let keep = container.proof.keep.as_deref().unwrap_or_default();
    let killing = async {
        let own = container.mark()?;
        let marks = container.marks();
        let command = ["/bin/sh", "-c", KILL, "kill", keep, "spare", &marks, ""];
        let killed = container.ask(&command).await;
        drop(own);
        killed
    };
    if matches!(timeout(KILLING, killing).await, Ok(Ok((0, _)))) {
        return true;
    }
    container.end().await;
    false
}

/// Ends what has this mark or descends from this process.
pub(super) async fn end_marked(container: &Container, mark: &str, pid: &str) -> Result<()> {
    let keep = container.proof.keep.as_deref().unwrap_or_default();
    let command = ["/bin/sh", "-c", KILL, "kill", keep, "kill", mark, pid];
    match timeout(KILLING, container.ask(&command)).await {
        Ok(Ok((0, _))) => Ok(()),
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => {
            let text = "the program can't be ended alone";
            let hint = "stopping the session ends all that runs in it";
            Err(Error::new(Code::Unavailable, text).with_hint(hint))
        }
    }
}

/// Whether the kernel ended a program for want of memory since that was last asked.
async fn out_of_memory(container: &Container, code: i64) -> Option<String> {
    if code != KILLED {
        return None;
    }
    let files = "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control";
    let command = ["/bin/sh", "-c", files];
    let asked = timeout(KILLING, container.ask(&command)).await;
    let Ok(Ok((_, said))) = asked else { return None };
    let count =
        said.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()?;
    let mut before =
        container.ended_for_memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let more = count > *before;
    *before = count;
    more.then(|| "memory".to_owned())
}

/// Where a program runs: below the workspace; at home where there is none.
pub(super) fn directory(wanted: &str, workspace: bool) -> Result<String> {
    let steps: Vec<&str> =
        wanted.split('/').filter(|step| !step.is_empty() && *step != ".").collect();
    if wanted.starts_with('/') || steps.contains(&"..") || wanted.contains('\0') {
        let text = format!("the directory `{wanted}` is not below the workspace");
        let hint = "name it relative to the workspace";
        return Err(Error::new(Code::Invalid, text).with_hint(hint));
    }
    match (workspace, steps.is_empty()) {
        (true, true) => Ok(WORKSPACE.to_owned()),
        (true, false) => Ok(format!("{WORKSPACE}/{}", steps.join("/"))),
        (false, true) => Ok(HOME.to_owned()),
        (false, false) => Err(Error::new(Code::Invalid, "the sandbox sees no workspace")),
    }
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
