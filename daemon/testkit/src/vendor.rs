//! An HTTP server that speaks the vendors' formats.
