//! gRPC services over the unix socket.
