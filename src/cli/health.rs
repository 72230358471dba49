//! `lanner health`: asks a running Lanner whether it is ready, for container health checks.

use super::Outcome;
use lanner_engine::config::ListenAddress;
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::ExitCode,
    time::Duration,
};

/// Longer than a healthy process needs, shorter than a health check may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Exit code 0 when the health_check extension of a running Lanner says that it is ready
#[derive(clap::Args)]
pub struct Args {
    /// Where the extension listens
    #[arg(long, default_value = "localhost:13133")]
    endpoint: ListenAddress,
}

impl Args {
    pub fn run(&self) -> Outcome {
        match self.ask() {
            Ok(status) if status.contains(" 200 ") => Ok(ExitCode::SUCCESS),
            Ok(status) => {
                eprintln!("lanner: not ready: {status}");
                Ok(ExitCode::FAILURE)
            }
            Err(error) => {
                eprintln!("lanner: nobody answers at {}: {error}", self.endpoint);
                Ok(ExitCode::FAILURE)
            }
        }
    }

    /// The status line of `/readyz`.
    fn ask(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.endpoint.0, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(1024).read_to_end(&mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }
}
