//! Grafana SQL macros.
