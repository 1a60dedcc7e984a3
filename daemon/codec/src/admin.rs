//! Models, providers, configuration and health as protobuf.

use std::path::Path;

use moltis_core::admin::{
    CatalogModel, ConfigValue, FoundServer, Health, LogLine, ModelTest, ProviderStatus,
};
use moltis_core::budget::Standing;
use moltis_core::journal::{BackupReport, CheckReport, UsageRow};
use moltis_core::models::{ModelInfo, Price};
use moltis_proto::v1;

use crate::event::{Result, filled, timestamp_to_wire, usage_to_wire};
use crate::session::{id_from_wire, name_from_wire};

/// A model and what it can do.
pub fn model_to_wire(model: ModelInfo) -> v1::Model {
    v1::Model {
        id: model.id.to_string(),
        name: model.name,
        context_window: model.context_window.unwrap_or(0),
        output_limit: model.output_limit.unwrap_or(0),
        images: model.images,
        tools: model.tools,
        reasoning: model.reasoning,
        price: model.price.map(price_to_wire),
        local: model.local,
    }
}

fn price_to_wire(price: Price) -> v1::Price {
    v1::Price {
        input: price.input,
        output: price.output,
        cache_read: price.cache_read,
        cache_write: price.cache_write,
    }
}

/// A model of the catalog.
pub fn catalog_to_wire(model: CatalogModel) -> v1::CatalogModel {
    v1::CatalogModel {
        name: model.name,
        description: model.description,
        bytes: model.bytes,
        license: model.license,
        context_window: model.context_window,
        installed: model.installed,
        starter: model.starter,
        template: model.template,
    }
}

/// How asking a model for one word went.
pub fn test_to_wire(test: ModelTest) -> v1::TestModelResponse {
    v1::TestModelResponse {
        text: test.text,
        first_token_ms: test.first_token_ms,
        total_ms: test.total_ms,
    }
}

/// A provider as the owner sees it.
pub fn provider_to_wire(status: ProviderStatus) -> v1::Provider {
    v1::Provider {
        name: status.name,
        kind: status.kind,
        base_url: status.base_url,
        key_source: status.key_source,
        ready: status.ready,
        trouble: status.trouble,
    }
}

/// A model server on this machine.
pub fn found_to_wire(found: FoundServer) -> v1::FoundServer {
    v1::FoundServer { kind: found.kind, base_url: found.base_url, models: found.models }
}

/// A model server that the client chose.
///
/// # Errors
/// One without a kind or an address; a name that is longer than 1 KiB.
pub fn found_from_wire(found: v1::FoundServer) -> Result<FoundServer> {
    let name = |n, model| name_from_wire(&format!("models[{n}]"), model);
    Ok(FoundServer {
        kind: id_from_wire("kind", found.kind)?,
        base_url: filled("base_url", name_from_wire("base_url", found.base_url)?)?,
        models: found
            .models
            .into_iter()
            .enumerate()
            .map(|(n, model)| name(n, model))
            .collect::<Result<_>>()?,
    })
}

/// A configuration value and where it came from.
pub fn value_to_wire(value: ConfigValue) -> v1::ConfigValue {
    let ConfigValue { key, value, json, origin } = value;
    v1::ConfigValue { key, value, origin, json }
}

/// How the daemon is.
pub fn health_to_wire(health: Health) -> v1::HealthResponse {
    v1::HealthResponse {
        pid: health.pid,
        uptime_s: health.uptime_s,
        resident_bytes: health.resident_bytes,
        running_turns: health.running_turns,
        attached: health.attached,
        troubles: health.troubles,
        data_dir: path_to_wire(&health.data_dir),
        config_dir: path_to_wire(&health.config_dir),
    }
}

/// A path as text; what is no UTF-8 is shown as well as can be.
pub fn path_to_wire(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A line of the log.
pub fn log_to_wire(line: LogLine) -> v1::LogLine {
    v1::LogLine {
        at: Some(timestamp_to_wire(line.at)),
        level: line.level,
        target: line.target,
        text: line.text,
    }
}

/// A line of the usage report.
pub fn usage_row_to_wire(row: UsageRow) -> v1::UsageRow {
    v1::UsageRow {
        day: row.day,
        model: row.model.to_string(),
        answers: row.answers,
        usage: Some(usage_to_wire(row.usage)),
    }
}

/// How a limit stands.
pub fn standing_to_wire(standing: Standing) -> v1::BudgetLimit {
    let Standing { span, unit, limit, spent, reserved } = standing;
    let (span, unit) = (span.as_str().to_owned(), unit.as_str().to_owned());
    v1::BudgetLimit { span, unit, limit, spent, reserved }
}

/// What a backup holds.
pub fn backup_to_wire(report: BackupReport) -> v1::BackupResponse {
    v1::BackupResponse {
        sessions: report.sessions,
        events: report.events,
        bytes: report.bytes,
        problems: report.problems,
    }
}

/// What a check found.
pub fn check_to_wire(report: CheckReport) -> v1::CheckResponse {
    v1::CheckResponse {
        sessions: report.sessions,
        events: report.events,
        problems: report.problems,
        rebuild_mends: report.rebuild_mends,
    }
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
