//! Vendors' dialects and the table of vendors.
