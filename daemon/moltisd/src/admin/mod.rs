//! How the owner looks after the daemon: core's ports, made of adapters.

mod models;
mod providers;
mod system;

pub(crate) use models::ModelKeeper;
pub(crate) use providers::ProviderKeeper;
pub(crate) use system::SystemKeeper;
