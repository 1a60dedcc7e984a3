use std::sync::Mutex;

use moltis_core::tool::Output;
use proptest::prelude::*;

use super::{CAP, Collector};

/// Keeps what is shown.
#[derive(Default)]
struct Shown(Mutex<Vec<String>>);

impl Output for Shown {
    fn push(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

fn collect(chunks: &[&[u8]]) -> (String, Vec<String>) {
    let shown = Shown::default();
    let mut collector = Collector::new(&shown);
    for chunk in chunks {
        collector.stdout(chunk);
    }
    let (stdout, _) = collector.finish();
    (stdout, shown.0.into_inner().unwrap())
}

#[test]
fn little_is_kept_and_shown_as_it_came() {
    let shown = Shown::default();
    let mut collector = Collector::new(&shown);
    collector.stdout(b"one\n");
    collector.stderr(b"two\n");
    assert_eq!(collector.finish(), ("one\n".to_owned(), "two\n".to_owned()));
    assert_eq!(*shown.0.lock().unwrap(), ["one\n", "two\n"]);
}

#[test]
fn a_flood_leaves_head_and_tail_and_says_what_is_missing() {
    let lines: Vec<String> = (0..100_000).map(|n| format!("line {n}\n")).collect();
    let chunks: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    let (text, shown) = collect(&chunks);
    assert!(text.len() <= CAP, "{}", text.len());
    assert!(text.starts_with("line 0\nline 1\n"));
    assert!(text.ends_with("line 99998\nline 99999\n"));
    let gap = text.lines().find(|line| line.contains("left out")).unwrap();
    let left_out: usize = gap.split(' ').nth(1).unwrap().parse().unwrap();
    let total: usize = lines.iter().map(String::len).sum();
    assert_eq!(text.len() - gap.len() - 1 + left_out, total);
    let bytes: usize = shown.iter().map(String::len).sum();
    assert!(bytes < CAP, "{bytes} bytes were shown");
    assert_eq!(shown.last().unwrap(), "… 1 MB so far\n");
}

#[test]
fn ten_gigabytes_cost_no_more_memory_than_one_megabyte() {
    let shown = Shown::default();
    let mut collector = Collector::new(&shown);
    let chunk = vec![0u8; 1 << 20];
    for _ in 0..10_000 {
        collector.stdout(&chunk);
    }
    let kept = collector.stdout.head.capacity() + collector.stdout.tail.capacity();
    assert!(kept <= 4 * CAP, "{kept} bytes are held");
    let pushes = shown.0.lock().unwrap().len();
    assert!(pushes < 30, "{pushes} pushes");
    assert!(collector.finish().0.len() <= CAP);
}

#[test]
fn bytes_that_are_no_text_stay_within_the_cap() {
    let (text, _) = collect(&[&vec![0xFF; CAP - 1000]]);
    assert!(text.len() <= CAP, "{}", text.len());
    assert!(text.contains("bytes left out"));
    let (text, _) = collect(&[&vec![0xFF; 3 * CAP]]);
    assert!(text.len() <= CAP, "{}", text.len());
}

proptest! {
    #[test]
    fn a_character_is_never_torn(text in "\\PC{0,300}", at in prop::collection::vec(0usize..900, 0..9)) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = at.into_iter().map(|at| at.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let (kept, shown) = collect(&chunks);
        prop_assert_eq!(&kept, &text);
        prop_assert_eq!(shown.concat(), text);
    }

    #[test]
    fn any_bytes_are_kept_as_replaced_at_once(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let (kept, _) = collect(&[first, second]);
        prop_assert_eq!(kept, String::from_utf8_lossy(&bytes).into_owned());
    }
}
