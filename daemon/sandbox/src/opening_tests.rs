use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream as Stream;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::*;

/// Says back what it hears, and counts those that are served.
#[derive(Default)]
struct Echo {
    served: Arc<Mutex<usize>>,
}

struct Counted(Arc<Mutex<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}

#[async_trait::async_trait]
impl Outlet for Echo {
    fn hosts(&self) -> Vec<String> {
        vec!["a.example".to_owned()]
    }

    async fn serve(&self, session: &SessionId, stream: Stream) {
        *self.served.lock().unwrap() += 1;
        let _counted = Counted(Arc::clone(&self.served));
        let mut stream = UnixStream::from_std(stream).unwrap();
        let mut byte = [0];
        while stream.read_exact(&mut byte).await.is_ok() {
            stream.write_all(session.as_str().as_bytes()).await.unwrap();
        }
    }
}

fn openings(data: &Path) -> (Openings, Arc<Mutex<usize>>) {
    let echo = Echo::default();
    let served = Arc::clone(&echo.served);
    (Openings::new(data, Some(Arc::new(echo))), served)
}

/// Speaks to an opening, off the runtime.
async fn speak(folder: &Path) -> String {
    let path = folder.join(SOCKET);
    let speaking = tokio::task::spawn_blocking(move || {
        let mut stream = Stream::connect(path)?;
        stream.write_all(b"x")?;
        let mut heard = [0; 2];
        stream.read_exact(&mut heard)?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&heard).into_owned())
    });
    speaking.await.unwrap().unwrap_or_else(|error| error.kind().to_string())
}

#[tokio::test]
async fn each_opening_serves_its_session_and_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let (openings, served) = openings(data.path());
    let one = openings.open(&SessionId::new("s1")).await.unwrap();
    let two = openings.open(&SessionId::new("s2")).await.unwrap();
    assert_eq!((speak(one.folder()).await, speak(two.folder()).await), ("s1".into(), "s2".into()));
    let gone = one.folder().to_owned();
    // Someone still speaks when it is closed.
    let _speaking = UnixStream::connect(two.folder().join(SOCKET)).await.unwrap();
    while *served.lock().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    drop((one, two));
    assert_eq!(speak(&gone).await, "entity not found");
    while *served.lock().unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fs::read_dir(&openings.folder).unwrap().count(), 0);
}

#[tokio::test]
async fn what_a_killed_daemon_left_is_swept() {
    let data = tempfile::tempdir().unwrap();
    let (openings, _) = openings(data.path());
    let left = openings.open(&SessionId::new("s1")).await.unwrap();
    let folder = left.folder().to_owned();
    std::mem::forget(left);
    openings.sweep();
    assert!(!folder.exists());
    openings.sweep();
    assert!(openings.open(&SessionId::new("s1")).await.is_ok());
}

#[tokio::test]
async fn a_long_path_is_as_good_as_a_short_one_and_others_do_not_get_there() {
    let data = tempfile::tempdir().unwrap();
    let (openings, _) = openings(&data.path().join("long-".repeat(40)));
    let opening = openings.open(&SessionId::new("s1")).await.unwrap();
    let folder = opening.folder();
    assert!(folder.as_os_str().len() > 200 && folder.join(SOCKET).exists());
    let mode = fs::metadata(&openings.folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn without_an_outlet_there_is_none_and_the_reason_is_told() {
    let data = tempfile::tempdir().unwrap();
    let openings = Openings::new(data.path(), None);
    let error = openings.open(&SessionId::new("s1")).await.err().unwrap();
    assert_eq!(error.message, openings.why_not().unwrap());
}
