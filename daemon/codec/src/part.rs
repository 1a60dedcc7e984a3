//! The pieces of a message as protobuf.

use moltis_core::message::Part;
use moltis_proto::v1;

use crate::event::non_empty;
use crate::field::{Error, Result};

/// Parts for the wire.
pub fn parts_to_wire(parts: &[Part]) -> Vec<v1::Part> {
    parts.iter().map(part_to_wire).collect()
}

/// Parts of the wire; errors are at `parts[n]`.
///
/// # Errors
/// A part that has no meaning.
pub fn parts_from_wire(parts: Vec<v1::Part>) -> Result<Vec<Part>> {
    parts
        .into_iter()
        .enumerate()
        .map(|(n, part)| part_from_wire(part).map_err(|error| error.within(&format!("parts[{n}]"))))
        .collect()
}

/// A part for the wire.
pub fn part_to_wire(part: &Part) -> v1::Part {
    use v1::part::Part as Wire;
    let wire = match part {
        Part::Text(text) => Wire::Text(text.clone()),
        Part::Reasoning { text, signature } => Wire::Reasoning(v1::Reasoning {
            text: text.clone(),
            signature: signature.clone().unwrap_or_default(),
        }),
        Part::Image { media_type, data } => {
            Wire::Image(v1::Image { media_type: media_type.clone(), data: data.to_vec() })
        }
        Part::ToolCall { id, name, arguments } => Wire::ToolCall(v1::ToolCall {
            id: id.to_string(),
            name: name.clone(),
            arguments: arguments.clone(),
        }),
        Part::ToolResult { id, text, failed } => Wire::ToolResult(v1::ToolResult {
            id: id.to_string(),
            text: text.clone(),
            failed: *failed,
        }),
    };
    v1::Part { part: Some(wire) }
}

/// A part of the wire.
///
/// # Errors
/// A part of no known kind.
pub fn part_from_wire(part: v1::Part) -> Result<Part> {
    use v1::part::Part as Wire;
    match part.part {
        Some(Wire::Text(text)) => Ok(Part::Text(text)),
        Some(Wire::Reasoning(reasoning)) => {
            Ok(Part::Reasoning { text: reasoning.text, signature: non_empty(reasoning.signature) })
        }
        Some(Wire::Image(image)) => {
            Ok(Part::Image { media_type: image.media_type, data: image.data.into() })
        }
        Some(Wire::ToolCall(call)) => {
            Ok(Part::ToolCall { id: call.id.into(), name: call.name, arguments: call.arguments })
        }
        Some(Wire::ToolResult(result)) => {
            Ok(Part::ToolResult { id: result.id.into(), text: result.text, failed: result.failed })
        }
        None => Err(Error::new("part", "is missing or of an unknown kind")),
    }
}
