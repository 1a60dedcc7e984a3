use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Bounds, Cache};

const BOUNDS: Bounds = Bounds { entries: 3, bytes: 100, age: Duration::from_secs(60) };

fn put(cache: &Cache<u8, u8>, key: u8, bytes: usize, now: Instant) {
    cache.put(key, Arc::new(key), bytes, now);
}

fn keys(cache: &Cache<u8, u8>, now: Instant) -> Vec<u8> {
    (0..10).filter(|key| cache.get(key, now).is_some()).collect()
}

#[test]
fn the_oldest_go_first_and_each_bound_holds() {
    let (cache, now) = (Cache::new(BOUNDS), Instant::now());
    for key in 0..4 {
        put(&cache, key, 10, now);
    }
    assert_eq!(keys(&cache, now), [1, 2, 3]);
    put(&cache, 1, 10, now);
    put(&cache, 5, 81, now);
    assert_eq!(keys(&cache, now), [1, 5]);
    put(&cache, 6, 101, now);
    assert_eq!(keys(&cache, now), [1, 5]);
}

#[test]
fn what_is_old_is_not_given() {
    let (cache, now) = (Cache::new(BOUNDS), Instant::now());
    put(&cache, 1, 10, now);
    assert_eq!(keys(&cache, now + Duration::from_secs(59)), [1]);
    assert_eq!(keys(&cache, now + Duration::from_secs(60)), [0_u8; 0]);
    let none = Cache::new(Bounds { age: Duration::ZERO, ..BOUNDS });
    put(&none, 1, 10, now);
    assert_eq!(keys(&none, now), [0_u8; 0]);
}
