//! Grafana's plugin protocol: handshake, gRPC services, one handler per file.
