use proptest::prelude::*;

use super::decode;

#[test]
fn the_header_wins_over_the_page_and_a_byte_order_mark_over_both() {
    let page = b"<meta charset=\"windows-1251\">\xe9";
    assert!(decode(page, Some("iso-8859-1"), true).ends_with('é'));
    assert!(decode(page, None, true).ends_with('й'));
    assert!(decode(page, None, false).ends_with('é'));
    assert_eq!(decode(b"\xef\xbb\xbf\xc3\xa9", Some("iso-8859-1"), true), "é");
    assert_eq!(decode(b"\xff\xfeA\0", None, false), "A");
}

#[test]
fn a_page_tells_its_encoding_in_each_of_the_usual_ways() {
    for page in [
        &b"<META CHARSET = 'Shift_JIS'>\x82\xa0"[..],
        b"<meta http-equiv=content-type content='text/html; charset=shift_jis'>\x82\xa0",
        b"<?xml version='1.0' encoding=\"Shift_JIS\"?>\x82\xa0",
    ] {
        assert!(decode(page, None, true).ends_with('あ'));
    }
    // It can't be UTF-16 when it could be read.
    assert!(decode("<meta charset=utf-16>é".as_bytes(), None, true).ends_with('é'));
    assert!(decode("<meta charset=nonsense>é".as_bytes(), None, true).ends_with('é'));
}

proptest! {
    #[test]
    fn no_bytes_and_no_label_panic(bytes in any::<Vec<u8>>(), label in any::<Option<String>>()) {
        decode(&bytes, label.as_deref(), true);
    }
}
