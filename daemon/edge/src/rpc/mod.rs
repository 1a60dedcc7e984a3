//! The services, a file each: read the request, call the port, write the reply.

mod approvals;
mod code;
mod config;
mod hooks;
mod models;
mod providers;
mod sandbox;
mod sessions;
mod system;
mod typed;

pub(crate) use code::Code;
pub(crate) use config::Config;
pub(crate) use hooks::Hooks;
pub(crate) use models::Models;
pub(crate) use providers::Providers;
pub(crate) use sandbox::Sandbox;
pub(crate) use sessions::Sessions;
pub(crate) use system::System;
