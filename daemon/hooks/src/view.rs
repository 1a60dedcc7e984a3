//! All hooks that concern one workspace (or none), as they stand now, in the order of their calls.
//!
//! Of one name, only one runs: the configuration's goes before a workspace's, that before the
//! home's, that before the built-in one. But only one that may run goes before another: what
//! anybody puts into a workspace displaces nothing until the owner enabled it. Building a view reads
//! and hashes files, so it is not for the reactor. The invariant: a hook without a reason not to
//! run is trusted, enabled, and has what it needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moltis_core::hook::Point;

use crate::builtin::{BuiltIn, boot_file};
use crate::digest;
use crate::eligible::missing;
use crate::found::{self, Found};
use crate::ground::Ground;
use crate::hook::{Body, Hook, Runnable, Source};
use crate::hookery::Settings;
use crate::look::Look;
use crate::spec::{Env, HookSpec, OnFailure, Requires, TIMEOUT};
use crate::state::{Decisions, Record};

/// All hooks of one workspace or none.
pub(crate) struct View {
    pub hooks: Vec<Hook>,
    /// What hooks say is logged and not followed.
    pub dry_run: bool,
    /// The content of the workspace's `BOOT.md` that the owner trusts.
    pub boot: Option<String>,
}

impl View {
    /// Whether anything is to be done at this point.
    pub(crate) fn wants(&self, point: Point) -> bool {
        self.at(point).next().is_some()
    }

    /// Those to be called at this point, in order; with them the guards that can't run.
    pub(crate) fn at(&self, point: Point) -> impl Iterator<Item = &Hook> {
        let has_a_say = point.has_a_say();
        self.hooks.iter().filter(move |hook| {
            hook.wants(point) && (hook.runs() || (has_a_say && hook.guards_in_vain()))
        })
    }

    /// Looks at everything and puts it in order.
    pub(crate) fn build(ground: &Ground, workspace: Option<&Path>) -> Self {
        let (settings, decisions) = (ground.settings(), ground.decisions());
        let builder = Builder { ground, settings: &settings, decisions: &decisions };
        let mut hooks: Vec<Hook> =
            settings.configured.iter().map(|spec| builder.configured(spec)).collect();
        if let Some(workspace) = workspace {
            builder.place(&found::in_workspace(workspace), Source::Workspace, &mut hooks);
        }
        builder.place(&found::in_home(&ground.data_dir), Source::Home, &mut hooks);
        hooks.extend(BuiltIn::ALL.into_iter().map(|which| builder.built_in(which)));
        displace(&mut hooks);
        hooks.sort_by(|a, b| {
            let order = |hook: &Hook| (std::cmp::Reverse(hook.priority()), hook.name.clone());
            order(a).cmp(&order(b)).then_with(|| a.source.cmp(&b.source))
        });
        let boot = workspace.and_then(|workspace| {
            let record = decisions.trusted.get(boot_file(workspace).to_str()?)?;
            record.enabled.then(|| record.hash.clone())
        });
        Self { hooks, dry_run: settings.dry_run, boot }
    }
}

/// What a cheap look at the same places sees.
pub(crate) fn look(ground: &Ground, workspace: Option<&Path>) -> Look {
    let decisions = ground.decisions();
    let trusted = |folder: &Path| {
        folder.to_str().is_some_and(|folder| decisions.trusted.contains_key(folder))
    };
    let mut look = Look::default();
    if let Some(workspace) = workspace {
        look.at(&found::in_workspace(workspace), trusted);
    }
    look.at(&found::in_home(&ground.data_dir), trusted);
    look
}

/// Of those of one name, lets only the first run that may.
fn displace(hooks: &mut [Hook]) {
    let mut winners: Vec<(String, String)> = Vec::new();
    for hook in hooks.iter_mut().filter(|hook| hook.runs()) {
        match winners.iter().find(|(name, _)| *name == hook.name) {
            Some((_, source)) => {
                hook.displaced = true;
                hook.reason = Some(format!("another of its name goes before it ({source})"));
            }
            None => winners.push((hook.name.clone(), hook.source.shown())),
        }
    }
}

struct Builder<'a> {
    ground: &'a Ground,
    settings: &'a Settings,
    decisions: &'a Decisions,
}

impl Builder<'_> {
    /// Why the owner does not want it, if so.
    fn off(&self, name: &str, key: &str) -> Option<String> {
        if self.settings.disabled.iter().any(|disabled| disabled == name) {
            Some("it is disabled in the configuration".to_owned())
        } else if self.decisions.disabled.contains(key) {
            Some(format!("it is disabled: `moltis hooks enable {name}` enables it"))
        } else {
            None
        }
    }

    fn configured(&self, spec: &HookSpec) -> Hook {
        let key = Source::Configuration.key(&spec.name);
        let off = match spec.enabled {
            true => self.off(&spec.name, &key),
            false => Some("it is disabled in the configuration".to_owned()),
        };
        let enabled = off.is_none();
        Hook {
            name: spec.name.clone(),
            reason: off.or_else(|| missing(spec, &self.ground.environment)),
            spec: Some(spec.clone()),
            source: Source::Configuration,
            body: Body::Command(Runnable::configured(&self.ground.config_dir)),
            enabled,
            trusted: true,
            displaced: false,
            tally: self.ground.tally(&key),
        }
    }

    fn built_in(&self, which: BuiltIn) -> Hook {
        let name = which.name();
        let key = Source::BuiltIn.key(name);
        let off = self.off(name, &key);
        Hook {
            name: name.to_owned(),
            enabled: off.is_none(),
            reason: off.or_else(|| self.ground.built_ins.missing(which)),
            spec: Some(HookSpec {
                name: name.to_owned(),
                description: which.description().to_owned(),
                emoji: String::new(),
                points: vec![which.point()],
                command: String::new(),
                timeout: TIMEOUT,
                priority: 0,
                env: Env::default(),
                on_failure: OnFailure::Continue,
                enabled: true,
                requires: Requires::default(),
            }),
            source: Source::BuiltIn,
            body: Body::BuiltIn(which),
            trusted: true,
            displaced: false,
            tally: self.ground.tally(&key),
        }
    }

    /// The hooks of a place, and those that were enabled there and are gone.
    fn place(&self, place: &Path, source: fn(PathBuf) -> Source, hooks: &mut Vec<Hook>) {
        let found = found::scan(place);
        let gone = self.decisions.trusted.iter().filter_map(|(key, record)| {
            let folder = Path::new(key);
            let here = folder.parent() == Some(place) && record.enabled;
            let missing = here && !found.iter().any(|found| found.folder == folder);
            missing.then(|| self.gone(folder, record, source))
        });
        let gone: Vec<Hook> = gone.collect();
        hooks.extend(found.into_iter().map(|found| self.found(found, source)));
        hooks.extend(gone);
    }

    /// A guard does not end by being taken away: it ends when the owner disables it.
    fn gone(&self, folder: &Path, record: &Record, source: fn(PathBuf) -> Source) -> Hook {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = source(folder.to_owned());
        Hook {
            spec: found::trusted(&self.ground.shelf.copy_of(&record.hash), &name).ok(),
            body: Body::Nothing,
            enabled: true,
            trusted: false,
            reason: Some(format!("its folder is gone: `moltis hooks disable {name}` forgets it")),
            displaced: false,
            tally: self.ground.tally(&source.key(&name)),
            name,
            source,
        }
    }

    fn found(&self, found: Found, source: fn(PathBuf) -> Source) -> Hook {
        let source = source(found.folder.clone());
        let key = source.key(&found.name);
        let mut hook = Hook {
            name: found.name,
            spec: None,
            body: Body::Nothing,
            enabled: false,
            trusted: false,
            reason: None,
            displaced: false,
            tally: self.ground.tally(&key),
            source,
        };
        // A key that is not the whole path may be another folder's.
        let known = found.folder.to_str().and_then(|key| self.decisions.trusted.get(key));
        match known {
            None => {
                let name = &hook.name;
                hook.reason = Some(match &found.spec {
                    Ok(_) => {
                        format!("it is not trusted: read it, then `moltis hooks enable {name}`")
                    }
                    Err(why) => why.clone(),
                });
                hook.spec = found.spec.ok();
            }
            Some(record) => self.decided(&mut hook, &found.folder, record),
        }
        hook
    }

    /// A hook that the owner trusted once. It is what its copy says, whatever is there now.
    fn decided(&self, hook: &mut Hook, folder: &Path, record: &Record) {
        let name = &hook.name;
        let copy = self.ground.shelf.copy_of(&record.hash);
        let present = digest::of(folder);
        hook.trusted = present.as_ref().is_ok_and(|now| *now == record.hash);
        hook.enabled = record.enabled;
        let spec = found::trusted(&copy, name);
        hook.reason = if let Some(why) = self.off(name, &hook.source.key(name)) {
            hook.enabled = false;
            Some(why)
        } else if !record.enabled {
            Some(format!("it is disabled: `moltis hooks enable {name}` enables it"))
        } else if let Err(why) = present {
            Some(why)
        } else if !hook.trusted {
            let again = format!("read it, then `moltis hooks enable {name}`");
            Some(format!("its content changed since it was trusted: {again}"))
        } else {
            match &spec {
                Ok(spec) => missing(spec, &self.ground.environment),
                Err(why) => Some(why.clone()),
            }
        };
        if hook.trusted && spec.is_ok() {
            hook.body = Body::Command(Runnable::copy(copy, &record.hash));
        }
        hook.spec = spec.ok();
    }
}

/// What is shared by those who call hooks.
pub(crate) type Shared = Arc<View>;
