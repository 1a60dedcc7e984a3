//! What agents act with: is there a sandbox, and do the hooks run.

use moltis_proto::v1::{ListHooksRequest, SandboxStatusRequest};

use super::Finding;
use crate::client::{Client, call};

/// Whether programs can run, and what that lacks.
pub(super) async fn sandbox(client: &mut Client) -> Vec<Finding> {
    let status = match client.caller.call(&call::SANDBOX, &SandboxStatusRequest {}).await {
        Ok(status) => status,
        Err(failure) => return vec![Finding::failed("sandbox", failure)],
    };
    if status.backend.is_empty() {
        let hint =
            if status.hint.is_empty() { "moltis sandbox status --probe" } else { &status.hint };
        let detail = format!("none, programs can't be run: {}", status.detail);
        return vec![Finding::warn("sandbox", detail, hint)];
    }
    let mut findings =
        vec![Finding::ok("sandbox", format!("{}: {}", status.backend, status.detail))];
    if !status.hosts.is_empty() {
        let detail = format!("a network that is listed reaches {}", status.hosts.join(", "));
        findings.push(Finding::ok("sandbox", detail));
    }
    for lack in &status.lacks {
        findings.push(Finding::warn("sandbox", format!("lacks {lack}"), "moltis sandbox status"));
    }
    if !status.image.is_empty() && !status.image_ready {
        let detail = format!("the image {} is not made yet", status.image);
        findings.push(Finding::warn("sandbox", detail, "moltis sandbox build"));
    }
    findings
}

/// Hooks that are meant to run and do not, and those that fail.
pub(super) async fn hooks(client: &mut Client) -> Vec<Finding> {
    let hooks = match client.caller.call(&call::HOOKS, &ListHooksRequest::default()).await {
        Ok(list) => list.hooks,
        Err(failure) => return vec![Finding::failed("hooks", failure)],
    };
    let running = hooks.iter().filter(|hook| hook.eligible).count();
    let mut findings = vec![Finding::ok("hooks", format!("{running} of {} run", hooks.len()))];
    for hook in &hooks {
        let hint = format!("moltis hooks info {}", hook.name);
        if hook.enabled && !hook.eligible {
            let detail = format!("{} does not run: {}", hook.name, hook.reason);
            findings.push(Finding::warn("hooks", detail, hint));
        } else if hook.failures > 0 {
            let detail = format!("{} failed {} of {} times", hook.name, hook.failures, hook.calls);
            findings.push(Finding::warn("hooks", detail, hint));
        }
    }
    findings
}
