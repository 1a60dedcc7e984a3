//! The sandbox as protobuf: how it is, and the images that it is made of.

use moltis_core::sandbox::{Image, SandboxStatus};
use moltis_proto::v1;

use crate::event::timestamp_to_wire;

/// How the sandbox is.
pub fn sandbox_to_wire(status: SandboxStatus) -> v1::SandboxStatus {
    v1::SandboxStatus {
        backend: status.backend.unwrap_or_default(),
        detail: status.detail,
        hint: status.hint.unwrap_or_default(),
        lacks: status.lacks,
        image: status.image,
        image_ready: status.image_ready,
        running: status.running,
        hosts: status.hosts,
    }
}

/// An image of sandboxes.
pub fn image_to_wire(image: Image) -> v1::SandboxImage {
    v1::SandboxImage {
        tag: image.tag,
        created: Some(timestamp_to_wire(image.created)),
        size: image.size,
        current: image.current,
    }
}
