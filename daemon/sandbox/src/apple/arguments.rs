//! A container as `container run` is asked for it.
//!
//! Options are from `docs/command-reference.md` and `Flags.swift` (1.2.2; all of them are in 0.12.0 as
//! well), what they mean from `Parser.swift`. Not here: what a container may be. The invariant: what
//! can't be said so that it is understood as it is meant is refused.

use moltis_core::error::{Code, Error, Result};

use crate::container::spec::{Bind, FIRST, INSTANCE, SESSION, Spec};

/// Takes away the way to more rights, which `container` has no option for (`noNewPrivileges` of
/// `LinuxProcessConfiguration.swift`, 0.40.1, is false, and nothing in `RuntimeService.swift`, 1.2.2,
/// sets it). `setpriv` is util-linux' or busybox'.
pub(super) const NO_MORE_RIGHTS: &str = "exec setpriv --no-new-privs /bin/sh -c \"$@\"";

/// The arguments that make it and hold its input.
///
/// # Errors
/// Where a path can't be said.
pub(super) fn run(spec: &Spec, name: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut say = |option: &str, value: String| words.extend([option.to_owned(), value]);
    say("--name", name.to_owned());
    say("--label", format!("{INSTANCE}={}", spec.instance));
    say("--label", format!("{SESSION}={}", spec.session));
    // As numbers: a name would be looked up in the image.
    say("--uid", spec.user.0.to_string());
    say("--gid", spec.user.1.to_string());
    say("--cap-drop", "ALL".to_owned());
    say("--memory", format!("{}M", spec.memory_mb));
    say("--cpus", processors(spec.cpus).to_string());
    say("--ulimit", "core=0".to_owned());
    say("--ulimit", format!("nofile={}", spec.ulimits.files));
    if let Some(most) = spec.ulimits.processes {
        say("--ulimit", format!("nproc={most}"));
    }
    if !spec.open {
        // No network device but that of the machine itself: `Utility.swift`.
        say("--network", "none".to_owned());
    }
    for folder in spec.in_memory() {
        // `--tmpfs` takes no size, and would give half of the memory.
        let size = spec.tmp_mb;
        say("--mount", format!("type=tmpfs,target={folder},size={size}M,mode=1777"));
    }
    for bind in &spec.binds {
        say("--volume", volume(bind)?);
    }
    for variable in spec.environment() {
        say("--env", variable);
    }
    say("--workdir", "/".to_owned());
    say("--entrypoint", "/bin/sh".to_owned());
    say("--progress", "none".to_owned());
    let run = ["run", "--interactive", "--rm", "--read-only"].map(str::to_owned);
    let first = ["-c", NO_MORE_RIGHTS, "sh", FIRST, "moltis"].map(str::to_owned);
    Ok([&run[..], &words, std::slice::from_ref(&spec.image), &first, &spec.wanted()].concat())
}

/// Whole processors only, and one at least.
fn processors(cpus: f32) -> u32 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few, not negative"
    )]
    let whole = cpus.ceil().max(1.0) as u32;
    whole
}

/// `source:target:ro`: unlike `--mount`, it takes single files and commas.
fn volume(bind: &Bind) -> Result<String> {
    let unsayable = |why: &str| {
        let text = format!("`{}` can't be mounted: {why}", bind.source.display());
        Error::new(Code::Invalid, text).with_hint("choose another folder, or another backend")
    };
    let source = bind.source.to_str().ok_or_else(|| unsayable("its path is no text"))?;
    if source.contains(':') {
        return Err(unsayable("Apple's `container` takes no path with a colon"));
    }
    let end = if bind.writable { "" } else { ":ro" };
    Ok(format!("{source}:{}{end}", bind.target))
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
