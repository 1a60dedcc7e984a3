use super::*;

#[test]
fn free_memory_is_read_as_linux_writes_it() {
    let meminfo = "MemTotal:       24576 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n";
    assert_eq!(parse(meminfo), Some(2 << 20));
    assert_eq!(parse("MemTotal: 5 kB\n"), None);
    assert_eq!(parse("MemAvailable: lots\n"), None);
}

#[test]
fn a_container_is_left_what_it_may_have_and_its_files_give_way() {
    let group = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(group.path().join(name), text).unwrap();
    assert_eq!(left(group.path()), None);
    write("memory.current", "700\n");
    write("memory.max", "max\n");
    assert_eq!(left(group.path()), None);
    write("memory.max", "1000\n");
    assert_eq!(left(group.path()), Some(300));
    write("memory.stat", "anon 100\nfile 600\ninactive_file 500\n");
    assert_eq!(left(group.path()), Some(800));
    write("memory.current", "2000\n");
    assert_eq!(left(group.path()), Some(0));
}

#[test]
fn what_can_not_fit_is_refused() {
    if available().is_some() {
        let error = check(usize::MAX / 2).unwrap_err().to_string();
        assert!(error.contains("MB of memory and"), "{error}");
    }
    assert!(check(0).is_ok());
}
