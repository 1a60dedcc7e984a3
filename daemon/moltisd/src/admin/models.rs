//! Models: those of all providers, and those of this machine.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::Result;
use moltis_core::admin::{CatalogModel, ModelAdmin, ModelList, ModelTest, Steps};
use moltis_core::models::{ModelRef, Models as _};
use moltis_local::Local;
use moltis_providers::Providers;

use crate::configuration::{Configuration, Edit};

/// Looks after models.
pub(crate) struct ModelKeeper {
    pub(crate) providers: Arc<Providers>,
    pub(crate) local: Arc<Local>,
    pub(crate) configuration: Arc<Configuration>,
}

#[async_trait]
impl ModelAdmin for ModelKeeper {
    async fn list(&self, refresh: bool) -> Result<ModelList> {
        Ok(self.providers.list(refresh).await)
    }

    async fn default_model(&self) -> Result<Option<ModelRef>> {
        Ok(self.providers.default_model().await)
    }

    async fn set_default(&self, model: &ModelRef) -> Result<()> {
        // A provider that does not exist is refused before anything is written.
        self.providers.candidates(Some(model)).await?;
        let edit = Edit::Set("chat.default_model".to_owned(), model.to_string());
        self.configuration.change(&[edit]).map(drop)
    }

    async fn catalog(&self) -> Result<Vec<CatalogModel>> {
        Ok(self.local.catalog())
    }

    async fn pull(&self, name: &str) -> Result<Steps> {
        self.local.pull(name)
    }

    async fn remove(&self, name: &str) -> Result<()> {
        self.local.remove(name)
    }

    async fn test(&self, model: &ModelRef) -> Result<ModelTest> {
        self.providers.test(model).await
    }
}
