//! The methods of the contract that give one answer: where each is, what it takes and gives.
//!
//! Not here: how they are called ([`super::caller`]), and what streams. The invariant: every row is a
//! method of the contract with these messages; a test holds them against it.

use moltis_proto::v1;

use super::caller::Method;

/// Makes a constant of each row, and of all of them a list for the test.
macro_rules! methods {
    ($($name:ident: $path:literal, $takes:ident => $gives:ident;)*) => {
        $(
            pub(crate) const $name: Method<v1::$takes, v1::$gives> =
                Method::at(concat!("/moltis.v1.", $path));
        )*

        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] =
            &[$(($name.path, stringify!($takes), stringify!($gives))),*];
    };
}

methods! {
    STOP: "Sessions/Stop", StopRequest => StopResponse;
    HISTORY: "Sessions/History", HistoryRequest => HistoryResponse;
    SESSIONS: "Sessions/List", ListSessionsRequest => ListSessionsResponse;
    SEND: "Sessions/Send", SendRequest => SendResponse;
    FIND: "Sessions/Find", FindRequest => Session;
    CREATE: "Sessions/Create", CreateRequest => Session;
    RENAME: "Sessions/Rename", RenameRequest => Session;
    FORK: "Sessions/Fork", ForkRequest => Session;
    DELETE: "Sessions/Delete", DeleteRequest => DeleteResponse;
    CONTEXT: "Sessions/Context", ContextRequest => ContextResponse;
    COMPACT: "Sessions/Compact", CompactRequest => CompactResponse;
    ARCHIVE: "Sessions/Archive", ArchiveRequest => Session;
    APPROVALS: "Sessions/Approvals", ApprovalsRequest => ApprovalsResponse;
    ANSWER: "Sessions/Answer", AnswerRequest => AnswerResponse;
    REVOKE: "Sessions/Revoke", RevokeRequest => Session;
    CONFIGURE: "Sessions/Configure", ConfigureRequest => Session;
    COMMANDS: "Sessions/Commands", CommandsRequest => CommandsResponse;
    COMMAND: "Sessions/Command", CommandRequest => CommandResponse;
    DIFF: "Sessions/Diff", DiffRequest => DiffResponse;
    UNDO: "Sessions/Undo", UndoRequest => UndoResponse;
    SEARCH: "Sessions/Search", SearchRequest => SearchResponse;
    REMOVE_MODEL: "Models/Remove", RemoveModelRequest => RemoveModelResponse;
    TEST_MODEL: "Models/Test", TestModelRequest => TestModelResponse;
    MODELS: "Models/List", ListModelsRequest => ListModelsResponse;
    SET_DEFAULT: "Models/SetDefault", SetDefaultRequest => SetDefaultResponse;
    CATALOG: "Models/Catalog", CatalogRequest => CatalogResponse;
    LOGOUT: "Providers/Logout", LogoutRequest => LogoutResponse;
    PROVIDERS: "Providers/List", ListProvidersRequest => ListProvidersResponse;
    DETECT: "Providers/Detect", DetectRequest => DetectResponse;
    LOGIN: "Providers/Login", LoginRequest => LoginResponse;
    ADOPT: "Providers/Adopt", AdoptRequest => AdoptResponse;
    SHOW_CONFIG: "Config/Show", ShowConfigRequest => ShowConfigResponse;
    SET_CONFIG: "Config/Set", SetConfigRequest => SetConfigResponse;
    RELOAD_CONFIG: "Config/Reload", ReloadRequest => ReloadResponse;
    HEALTH: "System/Health", HealthRequest => HealthResponse;
    CHECK: "System/Check", CheckRequest => CheckResponse;
    USAGE: "System/ReadUsage", UsageRequest => UsageResponse;
    BACKUP: "System/Backup", BackupRequest => BackupResponse;
    ROTATE_VAULT: "System/RotateVault", RotateVaultRequest => RotateVaultResponse;
    BUDGET: "System/ReadBudget", BudgetRequest => BudgetResponse;
    SANDBOX: "Sandbox/Status", SandboxStatusRequest => SandboxStatus;
    PROBE: "Sandbox/Probe", SandboxProbeRequest => SandboxStatus;
    IMAGES: "Sandbox/Images", ListImagesRequest => ListImagesResponse;
    REMOVE_IMAGES: "Sandbox/Remove", RemoveImagesRequest => RemoveImagesResponse;
    VARIABLES: "Sandbox/ListVariables", ListVariablesRequest => ListVariablesResponse;
    SET_VARIABLE: "Sandbox/SetVariable", SetVariableRequest => SetVariableResponse;
    REMOVE_VARIABLE: "Sandbox/RemoveVariable", RemoveVariableRequest => RemoveVariableResponse;
    HOOKS: "Hooks/List", ListHooksRequest => ListHooksResponse;
    ENABLE_HOOK: "Hooks/Enable", EnableHookRequest => Hook;
    RELOAD_HOOKS: "Hooks/Reload", ReloadHooksRequest => ReloadHooksResponse;
    TEST_HOOK: "Hooks/Test", TestHookRequest => TestHookResponse;
    HIGHLIGHT: "Code/Highlight", HighlightRequest => HighlightResponse;
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_method_is_one_of_the_contract_with_the_same_messages() {
        let set = FileDescriptorSet::decode(moltis_proto::DESCRIPTORS).unwrap();
        let services = set.file.iter().flat_map(|file| &file.service);
        let contract: Vec<(String, String, String)> = services
            .flat_map(|service| {
                service.method.iter().map(|method| {
                    let short = |name: &str| name.rsplit('.').next().unwrap().to_owned();
                    (
                        format!("/moltis.v1.{}/{}", service.name(), method.name()),
                        short(method.input_type()),
                        short(method.output_type()),
                    )
                })
            })
            .collect();
        for (path, takes, gives) in ALL {
            let known = contract.iter().any(|(at, takes_, gives_)| {
                (at.as_str(), takes_.as_str(), gives_.as_str()) == (*path, *takes, *gives)
            });
            assert!(known, "{path} takes {takes} and gives {gives}");
        }
    }
}
