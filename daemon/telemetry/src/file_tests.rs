use super::*;

impl LogFile {
    /// A log that turns over after that many bytes.
    pub(crate) fn open_full_at(folder: &Path, full: u64) -> io::Result<Self> {
        Self::open(folder).map(|log| Self { full, ..log })
    }

    /// As after an error of the disk.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }
}

#[test]
fn a_full_file_is_moved_aside_and_old_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogFile::open_full_at(folder.path(), 4).unwrap();
    for number in 0..9 {
        log.line(&format!("{number:04}\n")).unwrap();
    }
    let mut names: Vec<String> = folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "moltisd.log",
            "moltisd.log.1",
            "moltisd.log.2",
            "moltisd.log.3",
            "moltisd.log.4",
            "moltisd.log.5"
        ]
    );
    assert_eq!(std::fs::read_to_string(folder.path().join("moltisd.log")).unwrap(), "0008\n");
    assert_eq!(std::fs::read_to_string(folder.path().join("moltisd.log.1")).unwrap(), "0007\n");
}

#[test]
fn a_log_is_continued_and_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    LogFile::open(folder.path()).unwrap().line("one\n").unwrap();
    LogFile::open(folder.path()).unwrap().line("two\n").unwrap();
    let path = folder.path().join("moltisd.log");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_disk_that_fails_loses_lines_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut log = LogFile::open(&logs).unwrap();
    log.line("one\n").unwrap();
    log.close();
    std::fs::remove_dir_all(&logs).unwrap();
    assert!(log.line("two\n").is_err());
    std::fs::create_dir(&logs).unwrap();
    log.line("three\n").unwrap();
    assert_eq!(std::fs::read_to_string(logs.join("moltisd.log")).unwrap(), "three\n");
}

#[test]
fn the_folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    LogFile::open(&logs).unwrap();
    assert_eq!(logs.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}
