//! A real OpenTelemetry Collector before and behind Lanner; `run.sh` builds it of `main.go`.

mod chain;
mod process;
mod restart;
mod retry;
