use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::Workbench;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_parser_that_panics_is_an_answer() {
    let result: Result<(), _> = Workbench::new().run(LONG, |_| panic!("a bad file")).await;
    assert_eq!(result, Err("it could not be read: what reads it failed on it".to_owned()));
}

#[tokio::test]
async fn work_whose_call_is_dropped_is_told_to_stop() {
    let bench = Workbench::new();
    let (started, is_started) = sync_channel(1);
    let (stopped, is_stopped) = sync_channel(1);
    let work = bench.run(LONG, move |stop| {
        started.send(()).unwrap();
        while !stop.is_due() {
            std::thread::yield_now();
        }
        stopped.send(stop.is_dropped()).unwrap();
    });
    let mut work = Box::pin(work);
    while is_started.try_recv().is_err() {
        let _pending = futures_util::poll!(&mut work);
        tokio::task::yield_now().await;
    }
    drop(work);
    let told = tokio::task::spawn_blocking(move || is_stopped.recv().unwrap()).await.unwrap();
    assert!(told);
}

#[tokio::test(start_paused = true)]
async fn work_that_hangs_is_given_up() {
    let (go_on, wait) = sync_channel::<()>(1);
    let bench = Workbench::new();
    let hanging = bench.run(Duration::from_secs(1), move |_| wait.recv().ok());
    let mut hanging = std::pin::pin!(hanging);
    let _pending = futures_util::poll!(&mut hanging);
    // The clock stands still while something blocks, so it is moved by hand.
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(hanging.await, Err("it took longer than 1 s and was given up".to_owned()));
    go_on.send(()).unwrap();
}
