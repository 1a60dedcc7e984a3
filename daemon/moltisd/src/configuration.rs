//! The configuration in use: read, explained, changed and taken into use again.
//!
//! The invariant: what is in use has no errors. A file that has some changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use moltis_config::{
    Config, File, FileError, Flag, Problem, Row, Setting, Severity, Sources, Value, resolve,
};
use moltis_core::admin::{ConfigAdmin, ConfigChange, ConfigValue};
use moltis_core::policy::Pattern;
use moltis_core::{Code, Error, Result};
use moltis_session::AllowList;
use serde_json::json;

use crate::meaning::Settings;
use crate::review::review;
use crate::settings::SCHEMA;

/// Takes new settings into use.
type Apply = Box<dyn Fn(&Settings) -> Result<()> + Send + Sync>;

/// An edit of one key of the file.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// To what a person typed.
    Set(String, String),
    /// To this list.
    List(String, Vec<String>),
    /// Away with it.
    Unset(String),
}

/// The file, the layers over it, and what holds.
pub(crate) struct Configuration {
    file: File,
    env: Vec<(String, String)>,
    flags: Vec<Flag>,
    held: RwLock<Arc<Config>>,
    apply: Mutex<Option<Apply>>,
    /// Held from reading what holds until what is to hold instead does: some changes are made beside
    /// the reactor.
    changing: Mutex<()>,
}

impl Configuration {
    /// Reads all layers.
    ///
    /// # Errors
    /// `Invalid` with the first error and its place.
    pub(crate) fn open(dir: &Path, flags: Vec<Flag>) -> Result<Self> {
        let configuration = Self::unread(dir, flags);
        let config = configuration.read()?;
        configuration.hold(config);
        Ok(configuration)
    }

    /// Writes a file that is not there, complete and commented. Where that can't be done the daemon
    /// goes on with its defaults: a directory may be read-only on purpose.
    pub(crate) fn write_template(&self) {
        if let Err(error) = self.file.create(&moltis_config::template(&SCHEMA)) {
            tracing::warn!(%error, "there is no configuration file: the defaults hold");
        }
    }

    /// Says who takes changed settings into use.
    pub(crate) fn on_change(&self, apply: Apply) {
        *self.apply.lock().unwrap_or_else(PoisonError::into_inner) = Some(apply);
    }

    /// What holds.
    pub(crate) fn settings(&self) -> Settings {
        Settings::of(&self.held())
    }

    fn held(&self) -> Arc<Config> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, config: Config) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Everything that is right and wrong with a file and the layers over it.
    pub(crate) fn examine(&self, text: &str) -> (Config, Vec<Problem>) {
        let sources = Sources { file: text, env: &self.env, flags: &self.flags };
        let resolved = resolve(&SCHEMA, &sources);
        let mut problems = resolved.problems;
        problems.extend(review(&resolved.config, self.file.mode(), &|name| self.variable(name)));
        (resolved.config, problems)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The file's problems; its path is for the messages.
    pub(crate) fn check(&self) -> Result<(PathBuf, Vec<Problem>)> {
        let text = self.file.read().map_err(|error| in_file(&error))?.unwrap_or_default();
        Ok((self.file.path().to_owned(), self.examine(&text).1))
    }

    /// The configuration for a check only: nothing is written.
    pub(crate) fn unread(dir: &Path, flags: Vec<Flag>) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let held = RwLock::new(Arc::new(Config::default()));
        let (apply, changing) = (Mutex::new(None), Mutex::new(()));
        Self { file: File::new(dir), env, flags, held, apply, changing }
    }

    fn read(&self) -> Result<Config> {
        let text = self.file.read().map_err(|error| in_file(&error))?.unwrap_or_default();
        let (config, problems) = self.examine(&text);
        match problems.iter().find(|problem| problem.severity == Severity::Error) {
            Some(problem) => Err(self.told(problem)),
            None => Ok(config),
        }
    }

    fn told(&self, problem: &Problem) -> Error {
        let error = Error::new(Code::Invalid, problem.line(self.file.path()));
        let hint = problem.hint.clone().unwrap_or_else(|| "moltis config check".to_owned());
        error.with_hint(hint)
    }

    /// Takes the file into use as it is now; names the changed keys that need a restart.
    pub(crate) fn take_up(&self) -> Result<Vec<String>> {
        let _alone = self.alone();
        self.take_up_alone()
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_up_alone(&self) -> Result<Vec<String>> {
        let config = self.read()?;
        let before = self.held();
        let changed = config.changed_since(&before);
        let restart = changed
            .iter()
            .filter(|setting| setting.key.restart)
            .map(|setting| setting.path.clone())
            .collect();
        if let Some(apply) = &*self.apply.lock().unwrap_or_else(PoisonError::into_inner) {
            apply(&Settings::of(&config))?;
        }
        let changed = changed.len() + config.rows_changed_since(&before).len();
        self.hold(config);
        tracing::info!(changed, "took the configuration into use");
        Ok(restart)
    }

    /// Changes keys in the file, all or none, and takes the result into use; names the keys that
    /// need a restart. The file is as before when the result has errors or can't be used.
    pub(crate) fn change(&self, edits: &[Edit]) -> Result<Vec<String>> {
        let _alone = self.alone();
        self.change_alone(edits)
    }

    fn change_alone(&self, edits: &[Edit]) -> Result<Vec<String>> {
        let (mut before, mut after) = (String::new(), String::new());
        let changed = self.file.edit(|text| {
            text.clone_into(&mut before);
            text.clone_into(&mut after);
            for edit in edits {
                after = edited(&after, edit)?;
            }
            let (_, problems) = self.examine(&after);
            match problems.iter().find(|problem| problem.severity == Severity::Error) {
                Some(problem) => Err(Refused(self.told(problem))),
                None => Ok(after.clone()),
            }
        });
        changed.map_err(|Refused(error)| error)?;
        self.take_up_alone().inspect_err(|_| self.put_back(&before, &after))
    }

    /// Undoes an edit, unless someone has changed the file since.
    fn put_back(&self, before: &str, after: &str) {
        let undone = self
            .file
            .edit(|now| Ok::<_, FileError>(if now == after { before } else { now }.to_owned()));
        if let Err(error) = undone {
            tracing::error!(%error, "the file keeps a change that is not in use");
        }
    }
}

fn edited(text: &str, edit: &Edit) -> Result<String, Refused> {
    let invalid = |path: &str, reason: String| {
        Refused(Error::new(Code::Invalid, format!("set `{path}`: {reason}")))
    };
    match edit {
        Edit::Set(path, value) => {
            let key = SCHEMA.key(path).ok_or_else(|| Refused(unknown(Code::Invalid, path)))?;
            let value = key.kind.parse(value).map_err(|reason| invalid(path, reason))?;
            key.examine(&value).map_err(|reason| invalid(path, reason))?;
            moltis_config::set(text, path, &value).map_err(|error| invalid(path, error.to_string()))
        }
        Edit::List(path, items) => {
            let value = Value::List(items.clone());
            let key = SCHEMA.key(path).ok_or_else(|| Refused(unknown(Code::Invalid, path)))?;
            key.examine(&value).map_err(|reason| invalid(path, reason))?;
            moltis_config::set(text, path, &value).map_err(|error| invalid(path, error.to_string()))
        }
        Edit::Unset(path) => {
            moltis_config::unset(text, path).map_err(|error| invalid(path, error.to_string()))
        }
    }
}

/// A key that there is not.
fn unknown(code: Code, path: &str) -> Error {
    if let Some(rows) = SCHEMA.rows(path) {
        let message = format!("`{}` is a list of tables: it is edited in the file", rows.path);
        return Error::new(code, message).with_hint("moltis config edit");
    }
    let error = Error::new(code, format!("unknown key `{path}`"));
    match SCHEMA.nearest(path) {
        Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
        None => error.with_hint("moltis config show"),
    }
}

fn shown(setting: &Setting) -> ConfigValue {
    let json = match &setting.value {
        value if setting.key.secret && !value.is_empty() => json!("***"),
        Value::Text(text) => json!(text),
        Value::Bool(flag) => json!(flag),
        Value::Integer(number) => json!(number),
        Value::List(items) => json!(items),
    };
    ConfigValue {
        key: setting.path.clone(),
        value: setting.shown(),
        json: json.to_string(),
        origin: setting.origin.to_string(),
    }
}

fn shown_row(row: &Row) -> ConfigValue {
    let value = row.shown();
    let json = json!(value).to_string();
    ConfigValue { key: row.name(), value, json, origin: "file".to_owned() }
}

/// Why an edit did not happen.
struct Refused(Error);

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        Self(in_file(&error))
    }
}

fn in_file(error: &FileError) -> Error {
    Error::new(Code::Storage, error.to_string())
}

#[async_trait]
impl AllowList for Configuration {
    async fn add(&self, pattern: &Pattern) -> Result<()> {
        const KEY: &str = "approvals.allow";
        let line = pattern.line();
        // Two that are added at once must not lose one of them.
        let _alone = self.alone();
        let mut lines = self.held().list(KEY).to_vec();
        if lines.contains(&line) {
            return Ok(());
        }
        lines.push(line.clone());
        self.change_alone(&[Edit::List(KEY.to_owned(), lines)])?;
        if self.held().list(KEY).contains(&line) {
            return Ok(());
        }
        let message = format!("a layer over the file sets `{KEY}`, so it does not hold");
        Err(Error::new(Code::Conflict, message).with_hint("moltis config show --origin"))
    }
}

#[async_trait]
impl ConfigAdmin for Configuration {
    fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    async fn show(&self) -> Result<Vec<ConfigValue>> {
        let held = self.held();
        let rows = held.all_rows().iter().map(shown_row);
        Ok(held.settings().iter().map(shown).chain(rows).collect())
    }

    async fn get(&self, key: &str) -> Result<ConfigValue> {
        if let Some(setting) = self.held().get(key) {
            return Ok(shown(setting));
        }
        if let Some(row) = self.held().all_rows().iter().find(|row| row.name() == key) {
            return Ok(shown_row(row));
        }
        if SCHEMA.key(key).is_none() {
            return Err(unknown(Code::NotFound, key));
        }
        let error = Error::new(Code::NotFound, format!("nothing sets `{key}`"));
        Err(error.with_hint(format!("moltis config set {key} VALUE")))
    }

    async fn set(&self, key: &str, value: &str) -> Result<ConfigChange> {
        if SCHEMA.key(key).is_some_and(|known| known.secret) {
            let name = key.split('.').nth(1).unwrap_or("NAME");
            let message = format!("`{key}` is a secret: others can read it in a command line");
            let error = Error::new(Code::Invalid, message);
            return Err(error.with_hint(format!("moltis providers login {name}")));
        }
        let restart = self.change(&[Edit::Set(key.to_owned(), value.to_owned())])?;
        let needs_restart = restart.iter().any(|path| path == key);
        Ok(ConfigChange { holds: self.get(key).await?, needs_restart })
    }

    async fn reload(&self) -> Result<Vec<String>> {
        self.take_up()
    }
}
