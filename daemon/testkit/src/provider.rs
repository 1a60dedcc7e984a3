//! A provider that follows a script.
