//! Hooks as protobuf: what the owner sees of them, and what is asked of them.

use moltis_core::hook::{HookInfo, HookTest, Point};
use moltis_proto::v1;

use crate::event::{Error, Result, filled};
use crate::session::name_from_wire;

/// A hook as the owner sees it.
pub fn hook_to_wire(hook: HookInfo) -> v1::Hook {
    v1::Hook {
        name: hook.name,
        description: hook.description,
        points: hook.points.into_iter().map(|point| point.as_str().to_owned()).collect(),
        command: hook.command,
        source: hook.source,
        priority: hook.priority,
        eligible: hook.eligible,
        enabled: hook.enabled,
        trusted: hook.trusted,
        reason: hook.reason.unwrap_or_default(),
        calls: hook.calls,
        failures: hook.failures,
    }
}

/// What a hook did when it was tried.
pub fn hook_test_to_wire(test: HookTest) -> v1::TestHookResponse {
    v1::TestHookResponse {
        input: test.input,
        code: test.code,
        stdout: test.stdout,
        stderr: test.stderr,
        verdict: test.verdict,
        took_ms: test.took_ms,
    }
}

/// A hook's name.
///
/// # Errors
/// None at all, or one that is longer than 1 KiB.
pub fn hook_name_from_wire(name: String) -> Result<String> {
    filled("name", name_from_wire("name", name)?)
}

/// The event that a hook is tried with.
///
/// # Errors
/// A name that no event has; it lists those that there are.
pub fn point_from_wire(name: &str) -> Result<Point> {
    Point::parse(name).ok_or_else(|| {
        let names = Point::ALL.map(Point::as_str).join(", ");
        Error::new("point", format!("`{name}` is none of {names}"))
    })
}

#[cfg(test)]
#[path = "hook_tests.rs"]
mod tests;
