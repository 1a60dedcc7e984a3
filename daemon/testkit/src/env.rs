//! A clock that tests move by hand, and ids that count.
