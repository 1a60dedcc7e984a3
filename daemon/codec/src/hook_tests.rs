use super::*;

#[test]
fn every_event_of_hooks_has_a_name_that_reads_back() {
    for point in Point::ALL {
        assert_eq!(point_from_wire(point.as_str()), Ok(point));
    }
    let error = point_from_wire("BeforeToolcall").unwrap_err();
    assert_eq!(error.field, "point");
    assert!(error.reason.contains("BeforeToolCall"), "{error}");
}

#[test]
fn a_hook_must_be_named() {
    assert_eq!(hook_name_from_wire("boot md".to_owned()), Ok("boot md".to_owned()));
    assert!(hook_name_from_wire(String::new()).is_err());
    assert!(hook_name_from_wire("h".repeat(2_000)).is_err());
}
