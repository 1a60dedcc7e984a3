use super::*;

/// Thought and answer of a text that arrives in pieces of `size` bytes.
fn sort(text: &str, size: usize, thinking: bool) -> (String, String) {
    let mut sorter = Sorter::new(thinking);
    let mut said = Vec::new();
    for piece in text.as_bytes().chunks(size) {
        said.extend(sorter.push(std::str::from_utf8(piece).unwrap()));
    }
    said.extend(sorter.finish());
    let (mut thought, mut answer) = (String::new(), String::new());
    for said in said {
        match said {
            Said::Reasoning(text) => thought.push_str(&text),
            Said::Text(text) => answer.push_str(&text),
        }
    }
    (thought, answer)
}

fn check(text: &str, thinking: bool, thought: &str, answer: &str) {
    for size in 1..=text.len() {
        let wanted = (thought.to_owned(), answer.to_owned());
        assert_eq!(sort(text, size, thinking), wanted, "in pieces of {size}");
    }
}

#[test]
fn a_thought_before_the_answer_is_told_apart() {
    check("<think>\nHm < 3.\n\n</think>\n\nYes.\n", false, "Hm < 3.", "Yes.\n");
    check("Hm.</think>Yes.", true, "Hm.", "Yes.");
}

#[test]
fn an_empty_thought_is_none() {
    check("<think>\n\n</think>\n\nYes.", false, "", "Yes.");
}

#[test]
fn text_that_merely_looks_like_a_thought_is_the_answer() {
    check("<thin ice>", false, "", "<thin ice>");
    check("Use <think> and </think>.", false, "", "Use <think> and </think>.");
    check("<thi", false, "", "<thi");
}

#[test]
fn a_thought_without_end_is_a_thought() {
    check("<think>Hm </thi", false, "Hm </thi", "");
}
