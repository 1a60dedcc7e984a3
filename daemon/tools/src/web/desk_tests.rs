use std::sync::mpsc::sync_channel;
use std::time::Duration;

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Desk, TURNS};

/// A desk with one place.
fn alone(patience: Duration) -> Desk {
    Desk { places: Arc::new(Semaphore::new(1)), ..Desk::new(patience) }
}

#[tokio::test]
async fn no_more_pages_are_held_than_there_are_turns() {
    let desk = Desk::new(Duration::from_secs(30));
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        turns.push(desk.turn().await.unwrap());
    }
    assert_eq!(desk.clone().turns.available_permits(), 0);
    turns.pop();
    assert!(desk.turn().await.is_ok());
}

#[tokio::test]
async fn work_that_takes_too_long_is_given_up_and_keeps_its_place() {
    let desk = alone(Duration::from_millis(50));
    let (open, gate) = sync_channel::<()>(0);
    let slow = desk.work(move || gate.recv().is_err()).await;
    assert_eq!(slow, Err("reading it took longer than 0.05 s".to_owned()));
    // Its place is taken: there is no second thread.
    assert_eq!(desk.places.available_permits(), 0);
    assert!(desk.work(|| ()).await.is_err());
    drop(open);
    let patient = Desk { patience: Duration::from_secs(30), ..desk };
    assert_eq!(patient.work(|| 1).await, Ok(1));
}

#[tokio::test]
async fn work_that_panics_is_a_failure_and_frees_its_place() {
    let desk = alone(Duration::from_secs(30));
    let broken = desk.work(|| assert_eq!(1, 2, "a page that breaks its reader")).await;
    assert_eq!(broken, Err("reading it failed".to_owned()));
    assert_eq!(desk.work(|| 1).await, Ok(1));
}
