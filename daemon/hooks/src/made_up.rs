//! Made-up facts for every event, so that a hook can be tried without waiting for one.
//!
//! Names are those of the original system's payloads. The invariant: there are some for every
//! point, and always an object.

use moltis_core::hook::Point;
use serde_json::{Value, json};

/// Facts as they could be.
pub(crate) fn facts(point: Point) -> Value {
    let session_key = "example";
    match point {
        Point::BeforeAgentStart => json!({ "session_key": session_key, "model": "local/smollm2" }),
        Point::AgentEnd => json!({
            "session_key": session_key, "turn": "example", "state": "done", "text": "Done.",
            "iterations": 2, "tool_calls": 1, "input_tokens": 12, "output_tokens": 2,
        }),
        Point::BeforeLLMCall => json!({
            "session_key": session_key, "provider": "local", "model": "smollm2",
            "messages": [{ "role": "user", "content": "say hi" }],
            "message_count": 1, "tool_count": 3, "iteration": 1,
        }),
        Point::AfterLLMCall => json!({
            "session_key": session_key, "provider": "local", "model": "smollm2", "text": "hi",
            "tool_calls": [{ "name": "exec", "arguments": "{\"command\":\"echo hi\"}" }],
            "input_tokens": 12, "output_tokens": 2, "iteration": 1,
        }),
        Point::BeforeCompaction => json!({ "session_key": session_key, "message_count": 120 }),
        Point::AfterCompaction => json!({ "session_key": session_key, "summary_len": 2048 }),
        Point::MessageReceived => json!({
            "session_key": session_key, "content": "say hi", "channel": null,
        }),
        Point::MessageSending | Point::MessageSent => {
            json!({ "session_key": session_key, "content": "hi" })
        }
        Point::BeforeToolCall => json!({
            "session_key": session_key, "tool_name": "exec",
            "arguments": { "command": "echo hi" }, "workspace": "/tmp", "channel": null,
        }),
        Point::AfterToolCall => json!({
            "session_key": session_key, "tool_name": "exec", "success": true,
            "result": "hi\n", "workspace": "/tmp", "channel": null,
        }),
        Point::ToolResultPersist => json!({
            "session_key": session_key, "tool_name": "exec", "success": true,
            "result": "hi\n", "workspace": "/tmp", "channel": null,
        }),
        Point::SessionStart => json!({ "session_key": session_key, "channel": null }),
        Point::SessionEnd => json!({ "session_key": session_key }),
        Point::GatewayStart => json!({ "address": "unix:moltisd.sock" }),
        Point::GatewayStop => json!({}),
        Point::Command => {
            json!({ "session_key": session_key, "action": "new", "sender_id": "tui" })
        }
    }
}
