//! A keep-alive HTTP/1.1 connection that posts one body at a time.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Falco waits for ever; a test does not.
const LIMIT: Duration = Duration::from_secs(10);

/// One connection to a receiver on this machine. After an error it is of no use.
pub struct Connection {
    port: u16,
    stream: TcpStream,
}

impl Connection {
    pub fn open(port: u16) -> io::Result<Self> {
        Ok(Self { port, stream: connect(port)? })
    }

    /// Posts and returns the status. `headers` are whole lines.
    pub fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> io::Result<u16> {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n");
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        let (mut text, mut part) = (String::new(), [0; 1024]);
        while !is_whole(&text) {
            let read = self.stream.read(&mut part)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            text.push_str(&String::from_utf8_lossy(&part[..read]));
        }
        if text.to_ascii_lowercase().contains("connection: close") {
            self.stream = connect(self.port)?;
        }
        text.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Whether an answer is there with its body.
fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}
