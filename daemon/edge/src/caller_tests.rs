use super::*;

fn cause_of(kind: Option<&'static str>) -> Result<Cause, tonic::Code> {
    let mut metadata = MetadataMap::new();
    if let Some(kind) = kind {
        metadata.insert(CLIENT_KEY, kind.parse().unwrap());
    }
    match caller(&metadata) {
        Ok(caller) => {
            assert_eq!(caller.origin, Origin::Owner);
            Ok(caller.cause)
        }
        Err(status) => Err(status.code()),
    }
}

#[test]
fn a_client_is_what_it_says() {
    assert_eq!(cause_of(Some("tui")), Ok(Cause::Client("tui".to_owned())));
    assert_eq!(
        cause_of(Some("abcdefghijklmnop")),
        Ok(Cause::Client("abcdefghijklmnop".to_owned()))
    );
}

#[test]
fn a_client_that_says_nothing_is_a_script() {
    assert_eq!(cause_of(None), Ok(Cause::Client("cli".to_owned())));
}

#[test]
fn a_kind_that_would_spoil_the_record_is_refused() {
    for kind in ["", "TUI", "a b", "abcdefghijklmnopq", "x;y"] {
        assert_eq!(cause_of(Some(kind)), Err(tonic::Code::InvalidArgument), "{kind}");
    }
}
