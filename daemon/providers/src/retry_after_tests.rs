use std::time::Duration;

use super::{in_words, of_value, span};

#[test]
fn seconds_and_dates_are_understood() {
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    let ms = |value| of_value(value, now).map(|wait| wait.as_millis());
    assert_eq!(ms("20"), Some(20_000));
    assert_eq!(ms(" 0.5 "), Some(500));
    assert_eq!(ms("Fri, 02 Jan 2026 03:04:35 GMT"), Some(30_000));
    assert_eq!(ms("Fri, 02 Jan 2026 03:00:00 GMT"), Some(0));
    assert_eq!(ms("soon"), None);
    assert_eq!(ms("-3"), None);
    assert_eq!(ms("1e400"), None);
}

#[test]
fn spans_are_understood() {
    for (text, ms) in [("34.5s", 34_500), ("250ms", 250), ("1m2.5s", 62_500), ("2h", 7_200_000)] {
        assert_eq!(span(text), Some(Duration::from_millis(ms)), "{text}");
    }
    for text in ["", "5", "s", "5 parsecs", "1.2.3s"] {
        assert_eq!(span(text), None, "{text}");
    }
}

#[test]
fn words_are_understood() {
    let seconds = |text| in_words(text).map(|wait| wait.as_secs_f64());
    assert_eq!(seconds("Limit reached. Please try again in 7.66s. Visit https://x"), Some(7.66));
    assert_eq!(seconds("try again in 20 seconds"), Some(20.0));
    assert_eq!(seconds("Try again in 2 minutes."), Some(120.0));
    assert_eq!(seconds("try again in a while"), None);
    assert_eq!(seconds("try again"), None);
}
