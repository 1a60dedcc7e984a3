use tracing::Level;

use super::*;

#[test]
fn a_level_is_meant_for_moltis_itself() {
    let filter = parse("debug").unwrap();
    assert!(filter.would_enable("moltis_session::actor", &Level::DEBUG));
    assert!(filter.would_enable("moltisd", &Level::DEBUG));
    assert!(!filter.would_enable("h2::codec", &Level::INFO));
    assert!(filter.would_enable("h2::codec", &Level::WARN));
    assert!(!parse("error").unwrap().would_enable("h2::codec", &Level::WARN));
}

#[test]
fn directives_choose_parts() {
    let filter = parse("info,moltis_store=trace").unwrap();
    assert!(filter.would_enable("moltis_store::writer", &Level::TRACE));
    assert!(!filter.would_enable("moltis_net", &Level::DEBUG));
    assert!(filter.would_enable("hyper", &Level::INFO));
}

#[test]
fn a_typing_error_is_no_level() {
    for level in ["", "loud", "info,moltis_store", "moltis_store=loud", "debgu,h2=info"] {
        assert!(matches!(parse(level), Err(Error::Level { .. })), "{level}");
    }
}
