use futures_util::StreamExt as _;

use super::*;

impl Ring {
    /// The texts of all kept lines.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines().kept.iter().map(|line| line.text.clone()).collect()
    }
}

fn line(number: usize) -> LogLine {
    LogLine {
        at: Timestamp::UNIX_EPOCH,
        level: "INFO".to_owned(),
        target: "test".to_owned(),
        text: number.to_string(),
    }
}

#[tokio::test]
async fn the_last_lines_come_in_order() {
    let ring = Ring::new();
    (0..10).for_each(|number| ring.push(line(number)));
    let texts: Vec<String> = ring.read(3, false).map(|line| line.text).collect().await;
    assert_eq!(texts, ["7", "8", "9"]);
}

#[tokio::test]
async fn a_follower_is_given_new_lines() {
    let ring = Ring::new();
    ring.push(line(0));
    let mut lines = ring.read(1, true);
    assert_eq!(lines.next().await.unwrap().text, "0");
    ring.push(line(1));
    assert_eq!(lines.next().await.unwrap().text, "1");
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_how_much_it_missed() {
    let ring = Ring::new();
    ring.push(line(0));
    let mut lines = ring.read(1, true);
    (1..=KEPT + 4).for_each(|number| ring.push(line(number)));
    assert!(lines.next().await.unwrap().text.starts_with("5 lines were"));
    assert_eq!(lines.next().await.unwrap().text, "5");
}

#[tokio::test]
async fn a_reader_without_follow_ends() {
    let ring = Ring::new();
    assert!(ring.read(10, false).next().await.is_none());
}
