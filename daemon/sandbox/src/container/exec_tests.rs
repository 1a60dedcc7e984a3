use super::directory;

#[test]
fn a_directory_can_not_lead_out_of_the_workspace() {
    assert_eq!(directory("", true).unwrap(), "/workspace");
    assert_eq!(directory("./a//b/", true).unwrap(), "/workspace/a/b");
    assert_eq!(directory("...", true).unwrap(), "/workspace/...");
    for outside in ["/", "/etc", "..", "a/..", "a/../../b", "a\0b"] {
        assert!(directory(outside, true).is_err(), "{outside:?}");
    }
    assert_eq!(directory("", false).unwrap(), "/home/moltis");
    assert!(directory("a", false).is_err());
}
