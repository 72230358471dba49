//! HTTP/1.1 over a plain socket: a request is one write, an answer mostly one read.

use crate::payload::Request;
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A keep-alive connection.
pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub async fn new(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { address, stream: connect(address).await?, answer: Vec::with_capacity(1024) })
    }

    /// Sends a request and reads the whole answer. Whether its status is 2xx.
    pub async fn exchange(&mut self, request: &Request) -> io::Result<bool> {
        self.stream.write_all(&request.next()).await?;
        self.answer.clear();
        let head = loop {
            self.read().await?;
            if let Some(end) = memchr::memmem::find(&self.answer, b"\r\n\r\n") {
                break end + 4;
            }
        };
        // Every answer of the peers has a length.
        let length: usize = header(&self.answer[..head], b"content-length: ").ok_or(io::ErrorKind::InvalidData)?;
        while self.answer.len() < head + length {
            self.read().await?;
        }
        let accepted = self.answer.get(9) == Some(&b'2');
        // Who is overloaded may hang up after saying so.
        if !accepted && memchr::memmem::find(&self.answer[..head], b"connection: close").is_some() {
            self.stream = connect(self.address).await?;
        }
        Ok(accepted)
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.answer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn header(head: &[u8], name: &[u8]) -> Option<usize> {
    let start = memchr::memmem::find(head, name)? + name.len();
    let end = start + memchr::memchr(b'\r', &head[start..])?;
    std::str::from_utf8(&head[start..end]).ok()?.parse().ok()
}
