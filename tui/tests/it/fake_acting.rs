//! The daemon that is played, as far as agents act: hooks, the sandbox, what is allowed for good.

use futures_util::stream::{self, BoxStream, StreamExt as _};
use moltis_proto::v1::config_server::Config;
use moltis_proto::v1::hooks_server::Hooks;
use moltis_proto::v1::sandbox_server::Sandbox;
use moltis_proto::v1::*;
use serde_json::json;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Service, TURN, refusal, unplayed};

impl Service {
    fn note(&self, what: String) {
        self.0.heard.lock().unwrap().asked.push(what);
    }

    /// Does a typed command: `/sh` opens the turn of all tests, `/new` makes a session.
    pub(crate) fn typed(&self, request: CommandRequest) -> Answer<CommandResponse> {
        self.note(format!("command {}", request.line));
        let (text, session, turn) = match request.line.split(' ').next().unwrap_or_default() {
            "/sh" => ("", "", TURN),
            "/new" => ("session 02", "02", ""),
            "/agent" => ("kinds of agents: reviewer", "", ""),
            _ => {
                let hint = "did you mean `/clear`?";
                return Err(refusal("not_found", "there is no command `/cleer`", hint));
            }
        };
        let (text, session, turn) = (text.to_owned(), session.to_owned(), turn.to_owned());
        Ok(Response::new(CommandResponse { text, session, turn }))
    }
}

#[tonic::async_trait]
impl Hooks for Service {
    async fn list(&self, request: Request<ListHooksRequest>) -> Answer<ListHooksResponse> {
        self.note(format!("hooks of {:?}", request.into_inner().workspace));
        let hooks = self.0.script.lock().unwrap().hooks.clone();
        Ok(Response::new(ListHooksResponse { hooks }))
    }

    async fn enable(&self, request: Request<EnableHookRequest>) -> Answer<Hook> {
        let EnableHookRequest { name, on, .. } = request.into_inner();
        self.note(format!("enable {name} {on}"));
        let hooks = self.0.script.lock().unwrap().hooks.clone();
        let hook = hooks.into_iter().find(|hook| hook.name == name);
        let hook =
            hook.ok_or_else(|| refusal("not_found", "there is no such hook", "list them"))?;
        Ok(Response::new(Hook { enabled: on, ..hook }))
    }

    async fn reload(&self, _: Request<ReloadHooksRequest>) -> Answer<ReloadHooksResponse> {
        Ok(Response::new(ReloadHooksResponse { hooks: 3 }))
    }

    async fn test(&self, request: Request<TestHookRequest>) -> Answer<TestHookResponse> {
        let TestHookRequest { name, point, .. } = request.into_inner();
        let failed = name == "broken";
        self.note(format!("test {name} {point}"));
        Ok(Response::new(TestHookResponse {
            input: "{}".to_owned(),
            code: Some(i32::from(failed)),
            stdout: "out\n".to_owned(),
            stderr: String::new(),
            verdict: if failed { "failed: exit 1" } else { "go on" }.to_owned(),
            took_ms: 3,
        }))
    }
}

#[tonic::async_trait]
impl Sandbox for Service {
    async fn list_variables(
        &self,
        _: Request<ListVariablesRequest>,
    ) -> Answer<ListVariablesResponse> {
        Ok(Response::new(ListVariablesResponse { names: vec!["TOKEN".to_owned()] }))
    }

    async fn set_variable(
        &self,
        request: Request<SetVariableRequest>,
    ) -> Answer<SetVariableResponse> {
        let name = request.into_inner().name;
        Err(Status::invalid_argument(format!("`{name}` can't be kept here")))
    }

    async fn remove_variable(
        &self,
        _: Request<RemoveVariableRequest>,
    ) -> Answer<RemoveVariableResponse> {
        Ok(Response::new(RemoveVariableResponse { removed: true }))
    }

    async fn status(&self, _: Request<SandboxStatusRequest>) -> Answer<SandboxStatus> {
        Ok(Response::new(self.0.script.lock().unwrap().sandbox.clone()))
    }

    async fn probe(&self, _: Request<SandboxProbeRequest>) -> Answer<SandboxStatus> {
        self.note("probe".to_owned());
        Ok(Response::new(self.0.script.lock().unwrap().sandbox.clone()))
    }

    async fn images(&self, _: Request<ListImagesRequest>) -> Answer<ListImagesResponse> {
        let created = Some(prost_types::Timestamp { seconds: 1_795_521_600, nanos: 0 });
        let (tag, size, current) = ("moltis:1".to_owned(), 91_700_000, true);
        let images = vec![SandboxImage { tag, created, size, current }];
        Ok(Response::new(ListImagesResponse { images }))
    }

    type BuildStream = BoxStream<'static, Result<Step, Status>>;

    async fn build(&self, _: Request<BuildImageRequest>) -> Answer<Self::BuildStream> {
        let step = |phase: &str, finished| {
            Ok(Step { phase: phase.to_owned(), done: 1, total: 2, finished })
        };
        let mut steps = vec![step("installing", false)];
        if self.0.script.lock().unwrap().sandbox.backend.is_empty() {
            steps.push(Err(refusal("not_configured", "there is no engine", "install one")));
        } else {
            steps.push(step("done", true));
        }
        Ok(Response::new(stream::iter(steps).boxed()))
    }

    async fn remove(&self, request: Request<RemoveImagesRequest>) -> Answer<RemoveImagesResponse> {
        let tag = request.into_inner().tag;
        let removed = if tag.is_empty() { "moltis:0".to_owned() } else { tag };
        Ok(Response::new(RemoveImagesResponse { removed: vec![removed] }))
    }
}

#[tonic::async_trait]
impl Config for Service {
    async fn show(&self, _: Request<ShowConfigRequest>) -> Answer<ShowConfigResponse> {
        let allow = json!(self.0.script.lock().unwrap().allow).to_string();
        let values = vec![ConfigValue {
            key: "approvals.allow".to_owned(),
            value: allow.clone(),
            origin: "file".to_owned(),
            json: allow,
        }];
        Ok(Response::new(ShowConfigResponse { path: "/c/moltis.toml".to_owned(), values }))
    }

    async fn set(&self, request: Request<SetConfigRequest>) -> Answer<SetConfigResponse> {
        let SetConfigRequest { key, value } = request.into_inner();
        self.note(format!("{key} = {value}"));
        let (origin, json) = ("file".to_owned(), value.clone());
        let holds = Some(ConfigValue { key, value, origin, json });
        Ok(Response::new(SetConfigResponse { holds, needs_restart: false }))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Answer<ReloadResponse> {
        unplayed()
    }
}
