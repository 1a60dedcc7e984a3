use std::any::type_name;

use prost_types::FileDescriptorSet;

use super::*;

/// What the table says of a method: path, and the names of what it takes and gives.
fn row<Q, A>(method: &Method<Q, A>) -> (&'static str, &'static str, &'static str) {
    let short = |name: &'static str| name.rsplit("::").next().unwrap();
    (method.path, short(type_name::<Q>()), short(type_name::<A>()))
}

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
    for (path, takes, gives) in [
        row(&APPROVALS),
        row(&ANSWER),
        row(&REVOKE),
        row(&CONFIGURE),
        row(&DIFF),
        row(&UNDO),
        row(&HOOKS),
        row(&ENABLE_HOOK),
        row(&RELOAD_HOOKS),
        row(&TEST_HOOK),
        row(&SANDBOX),
        row(&PROBE),
        row(&IMAGES),
        row(&REMOVE_IMAGES),
        row(&SEARCH),
        row(&REMOVE_MODEL),
        row(&TEST_MODEL),
        row(&LOGOUT),
        row(&HEALTH),
        row(&CHECK),
        row(&USAGE),
        row(&BACKUP),
        row(&ROTATE_VAULT),
    ] {
        let known = contract.iter().any(|(at, takes_, gives_)| {
            (at.as_str(), takes_.as_str(), gives_.as_str()) == (path, takes, gives)
        });
        assert!(known, "{path} takes {takes} and gives {gives}");
    }
}
