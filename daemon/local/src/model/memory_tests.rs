use super::*;

#[test]
fn free_memory_is_read_as_linux_writes_it() {
    let meminfo = "MemTotal:       24576 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n";
    assert_eq!(parse(meminfo), Some(2 << 20));
    assert_eq!(parse("MemTotal: 5 kB\n"), None);
    assert_eq!(parse("MemAvailable: lots\n"), None);
}

#[test]
fn what_can_not_fit_is_refused() {
    if available().is_some() {
        let error = check(usize::MAX / 2).unwrap_err().to_string();
        assert!(error.contains("MB of memory and"), "{error}");
    }
    assert!(check(0).is_ok());
}
