use std::time::Duration;

use expect_test::expect;
use lopdf::content::{Content, Operation};
use lopdf::{Document, Object, Stream, dictionary};
use proptest::prelude::*;

use super::{HELD, INFLATED, share, text};
use crate::off::{Stop, Workbench};

/// A PDF with a page for each text.
fn pdf(pages: &[&str]) -> Vec<u8> {
    pdf_of(pages.iter().map(|page| content(page)).collect())
}

fn content(text: &str) -> Stream {
    let operations = vec![
        Operation::new("BT", vec![]),
        Operation::new("Tf", vec!["F1".into(), 12.into()]),
        Operation::new("Td", vec![50.into(), 700.into()]),
        Operation::new("Tj", vec![Object::string_literal(text)]),
        Operation::new("ET", vec![]),
    ];
    Stream::new(dictionary! {}, Content { operations }.encode().unwrap())
}

fn pdf_of(contents: Vec<Stream>) -> Vec<u8> {
    let mut document = Document::with_version("1.5");
    let root = document.new_object_id();
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica",
        "Encoding" => "WinAnsiEncoding",
    });
    let resources = dictionary! { "Font" => dictionary! { "F1" => font } };
    let mut kids: Vec<Object> = Vec::new();
    for stream in contents {
        let stream = document.add_object(stream);
        let page = dictionary! {
            "Type" => "Page", "Parent" => root, "Contents" => stream,
            "Resources" => resources.clone(),
        };
        kids.push(document.add_object(page).into());
    }
    let count = kids.len() as i64;
    let pages = dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count };
    document.objects.insert(root, pages.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => root });
    document.trailer.set("Root", catalog);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

fn with_stop<T: Send + 'static>(
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let bench = Workbench::new();
    runtime.block_on(bench.run(Duration::from_secs(60), work))
}

fn read(bytes: Vec<u8>, from: u64, limit: Option<u64>) -> Result<String, String> {
    with_stop(move |stop| text(&bytes, from, limit, stop)).unwrap()
}

#[test]
fn the_text_of_pages_is_told_page_by_page() {
    let three = pdf(&["Hello", "", "caf\u{e9}"]);
    expect![[r#"
        [page 1 of 3]
        Hello
        [page 2 of 3]
        [no text; a picture, perhaps]
        [more follows: read on with offset 3]
    "#]]
    .assert_eq(&read(three.clone(), 1, Some(2)).unwrap());
    assert!(read(three.clone(), 3, None).unwrap().starts_with("[page 3 of 3]\ncaf"));
    assert_eq!(read(three, 4, None), Err("this PDF has 3 pages only".to_owned()));
    let many = read(pdf(&["x"; 25]), 1, Some(100)).unwrap();
    assert!(many.ends_with("[more follows: read on with offset 21]\n"), "{many}");
}

#[test]
fn a_page_that_inflates_without_end_is_no_page() {
    let mut bomb = Stream::new(dictionary! {}, vec![b' '; 4 * INFLATED]);
    bomb.compress().unwrap();
    let bytes = pdf_of(vec![bomb, content("after")]);
    assert!(bytes.len() < INFLATED / 10, "it is small as a file: {} bytes", bytes.len());
    // The counterpart: without the limit it does inflate.
    let document = Document::load_mem(&bytes).unwrap();
    let page = document.get_pages()[&1];
    assert!(document.get_page_content(page).len() >= 4 * INFLATED);
    let told = read(bytes, 1, None).unwrap();
    assert!(told.contains("[this page can not be read: "), "{told}");
    assert!(told.contains("after"), "{told}");
}

#[test]
fn many_streams_together_inflate_no_further_than_a_few_may() {
    assert_eq!(share(&pdf(&["one"])), INFLATED);
    let many = b"1 0 obj stream x endstream\n".repeat(10_000);
    assert!(share(&many) * 10_000 <= HELD);
}

#[test]
fn brackets_without_end_are_an_error_and_not_the_end_of_the_daemon() {
    for open in ["[", "<<", "<</A ", "(", "[<<"] {
        let body = open.repeat(200_000);
        let bytes = format!(
            "%PDF-1.5\n1 0 obj\n{body}\nendobj\ntrailer\n<</Root 1 0 R>>\nstartxref\n9\n%%EOF"
        );
        assert!(read(bytes.into_bytes(), 1, None).is_err(), "{open}");
        let operations = format!("BT {} Tj ET", open.repeat(100_000));
        let stream = Stream::new(dictionary! {}, operations.into_bytes());
        let _told = read(pdf_of(vec![stream]), 1, None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_pdf_ends_in_words(at in 0_usize..900, byte: u8, cut in 0_usize..900) {
        let mut bytes = pdf(&["Hello", "world"]);
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        // Either way it ends, and no panic reaches the reactor.
        let _told = with_stop(move |stop| text(&bytes, 1, None, stop));
    }
}
