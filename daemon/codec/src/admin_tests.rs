use proptest::prelude::*;
use prost::Message as _;

use super::*;

proptest! {
    #[test]
    fn a_found_server_reads_back_as_it_was(
        kind in "[a-z-]{1,12}",
        base_url in "http://[a-z0-9.:]{1,30}",
        models in prop::collection::vec("\\PC{0,20}", 0..5),
    ) {
        let found = FoundServer { kind, base_url, models };
        let bytes = found_to_wire(found.clone()).encode_to_vec();
        let read = v1::FoundServer::decode(&*bytes).unwrap();
        prop_assert_eq!(found_from_wire(read), Ok(found));
    }

    #[test]
    fn whatever_the_bytes_are_a_found_server_has_a_kind_and_an_address(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(found) = v1::FoundServer::decode(&*bytes)
            && let Ok(found) = found_from_wire(found)
        {
            prop_assert!(!found.kind.is_empty() && !found.base_url.is_empty());
        }
    }
}

#[test]
fn a_found_server_must_be_one() {
    let server = |kind: &str, base_url: String, model: String| {
        found_from_wire(v1::FoundServer { kind: kind.to_owned(), base_url, models: vec![model] })
    };
    let url = || "http://127.0.0.1:1".to_owned();
    assert!(server("ollama", url(), "m".to_owned()).is_ok());
    assert_eq!(server("", url(), "m".to_owned()).unwrap_err().field, "kind");
    assert_eq!(server("ollama", String::new(), "m".to_owned()).unwrap_err().field, "base_url");
    assert_eq!(server("ollama", url(), "m".repeat(2_000)).unwrap_err().field, "models[0]");
}
