//! What people and scripts are shown.

use expect_test::expect;

use super::*;

fn table() -> Table {
    let mut table =
        Table::new(&[("ID", Side::Left), ("TITLE", Side::Cut), ("TOKENS", Side::Right)]);
    table.row(["01abc", "A title that is rather long", "12.3k"]);
    table.row(["main", "漢字 \u{1b}[31mred\nline", "9"]);
    table
}

#[test]
fn columns_are_aligned_by_cells_not_bytes() {
    expect![[r#"
        ID     TITLE                        TOKENS
        01abc  A title that is rather long   12.3k
        main   漢字 red line                     9
    "#]]
    .assert_eq(&table().lay(usize::MAX, false));
}

#[test]
fn a_narrow_terminal_cuts_the_column_that_may_be_cut() {
    let text = table().lay(30, false);
    expect![[r#"
        ID     TITLE            TOKENS
        01abc  A title that i…   12.3k
        main   漢字 red line         9
    "#]]
    .assert_eq(&text);
    assert!(text.lines().all(|line| width_of(line) <= 30));
}

#[test]
fn an_error_is_one_line_and_a_hint() {
    let failure = Failure::new("not_found", "there is no session\n`x\u{7}`").with_hint("try `y`");
    expect![[r#"
        moltis: cannot show the session: there is no session `x`
        hint: try `y`
    "#]]
    .assert_eq(&failure_lines("cannot show the session", &failure));
    let bare = Failure::new("internal", "oops");
    assert_eq!(
        error_json(&bare).to_string(),
        r#"{"code":"internal","hint":null,"message":"oops"}"#
    );
}

#[test]
fn times_are_relative_for_a_week() {
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let said = [
        "2026-11-24T12:00:05Z",
        "2026-11-24T11:55:00Z",
        "2026-11-24T02:00:00Z",
        "2026-11-20T12:00:00Z",
        "2026-01-02T03:04:05Z",
    ]
    .map(|at| ago(at.parse().unwrap(), now));
    assert_eq!(said, ["now", "5m ago", "10h ago", "4d ago", "2026-01-02"]);
}

#[test]
fn numbers_are_short() {
    assert_eq!([999, 12_345, 1_200_000].map(count), ["999", "12.3k", "1.2M"]);
    assert_eq!([12, 91_733_000].map(bytes), ["12 B", "91.7 MB"]);
    assert_eq!([0, 12_300, 2_500_000].map(dollars), ["", "$0.0123", "$2.50"]);
}
