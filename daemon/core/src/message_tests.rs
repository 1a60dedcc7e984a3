use expect_test::expect;

use super::*;

fn picture(bytes: usize) -> Part {
    Part::Image { media_type: "image/png".to_owned(), data: vec![0; bytes].into() }
}

#[test]
fn a_message_has_bounds_that_its_refusal_tells() {
    let refusal = |parts: &[Part]| check(parts).unwrap_err().message + "\n";
    let result = Part::ToolResult { id: "c".into(), text: "hi".to_owned(), failed: false };
    let said = refusal(&[])
        + &refusal(&[Part::Text(" \n".to_owned()), picture(0)])
        + &refusal(&[Part::Text("a".repeat(MOST_TEXT)), Part::Text("a".to_owned())])
        + &refusal(&[picture(MOST_PICTURES), picture(1)])
        + &refusal(&[result]);
    expect![[r#"
        a message must not be empty
        a message must not be empty
        a message has at most 4 MiB of text, not 5 MiB
        a message has at most 20 MiB of pictures, not 21 MiB
        a person's message has text and pictures only
    "#]]
    .assert_eq(&said);
    assert_eq!(check(&[Part::Text("a".repeat(MOST_TEXT)), picture(MOST_PICTURES)]), Ok(()));
}
