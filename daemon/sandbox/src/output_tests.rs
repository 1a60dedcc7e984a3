use std::sync::Mutex;

use moltis_agent::redact::{Redactor, Stream as Redacting};
use moltis_core::tool::{Cleaner, Output};
use proptest::prelude::*;

use super::{CAP, Collector, HALF};

/// Keeps what is shown.
#[derive(Default)]
struct Shown(Mutex<Vec<String>>);

impl Output for Shown {
    fn push(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// The same, with the owner's secret taken out as a session does it.
#[derive(Default)]
struct Clean(Shown);

impl Output for Clean {
    fn push(&self, text: &str) {
        self.0.push(text);
    }

    fn cleaner(&self) -> Box<dyn Cleaner> {
        Box::new(Redacted(Some(knowing().stream())))
    }
}

struct Redacted(Option<Redacting>);

impl Cleaner for Redacted {
    fn push(&mut self, text: &str) -> String {
        self.0.as_mut().unwrap().push(text)
    }

    fn rest(&mut self) -> String {
        self.0.take().unwrap().finish()
    }
}

/// The owner's secret as it is, in base64, in hexadecimal, and in a URL.
const FORMS: &[&str] = &[
    "sk-7Qx2Vb9Lm4Tz8wKc1Yh0",
    "c2stN1F4MlZiOUxtNFR6OHdLYzFZaDA",
    "736b2d375178325662394c6d34547a38774b6331596830",
    "%73%6b%2d%37%51%78%32%56%62%39%4c%6d%34%54%7a%38%77%4b%63%31%59%68%30",
];

fn knowing() -> Redactor {
    Redactor::new([("TOKEN", FORMS[0])].into_iter())
}

/// A flood in which a form of the secret lies so far over the end of the head, and as far over the
/// beginning of the tail.
fn flood(form: &str, over: usize) -> String {
    let head = ".".repeat(HALF - form.len() + over);
    let middle = ".".repeat(5_000);
    let tail = ".".repeat(HALF - form.len() + over);
    format!("{head}{form}{middle}{form}{tail}")
}

/// What a flood leaves, kept or shown, beside dots; secrets that are left whole are found later.
fn left(text: &str, chunk: usize, clean: bool) -> Vec<String> {
    let output = Clean::default();
    let mut collector = match clean {
        true => Collector::new(&output),
        false => Collector::new(&output.0),
    };
    text.as_bytes().chunks(chunk).for_each(|chunk| collector.stdout(chunk));
    let (kept, _) = collector.finish();
    let shown = output.0.0.into_inner().unwrap().concat();
    let seen = [knowing().redact(&kept).into_owned(), knowing().redact(&shown).into_owned()];
    seen.iter()
        .flat_map(|text| text.split('.'))
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether more than a few bytes of this are in these.
fn shows(left: &[String], form: &str) -> bool {
    let few = form.len() / 4;
    let parts = form.as_bytes().windows(few);
    let mut parts = parts.map(|part| std::str::from_utf8(part).unwrap());
    parts.any(|part| left.iter().any(|left| left.contains(part)))
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

#[test]
fn a_secret_that_a_cut_falls_into_does_not_show_in_part() {
    for form in FORMS {
        for over in 0..=form.len() {
            let left = left(&flood(form, over), 8192, true);
            assert!(!shows(&left, form), "{form}, {over} bytes over: {left:?}");
        }
    }
}

#[test]
fn were_it_looked_for_after_the_cut_half_of_it_would_show() {
    for form in FORMS {
        let left = left(&flood(form, form.len() / 2), 8192, false);
        assert!(shows(&left, form), "{form}: {left:?}");
    }
}

#[test]
fn a_flood_without_a_secret_is_left_as_it_is_by_the_cleaner() {
    let text = flood("nothing of interest", 7);
    assert_eq!(left(&text, 8192, true), left(&text, 8192, false));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn however_a_flood_comes_no_part_of_a_secret_shows(
        form in prop::sample::select(FORMS), over in 0usize..80, chunk in 1usize..70_000,
    ) {
        let over = over.min(form.len());
        let left = left(&flood(form, over), chunk, true);
        prop_assert!(!shows(&left, form), "{:?}", left);
    }
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
