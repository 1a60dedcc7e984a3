//! The one place where words become protobuf, for the wire and for the disk.
