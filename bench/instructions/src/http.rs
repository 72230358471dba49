//! The other side of HTTP, as small as it can be, so that what is counted is Lanner's: a client that writes requests made
//! before, and a server that answers 200.

use crate::Error;
use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A port that nobody has.
pub fn free_port() -> Result<u16, Error> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A connection that stays open.
pub struct Client(TcpStream);

impl Client {
    /// Connects to a port of localhost.
    pub async fn connect(port: u16) -> Result<Self, Error> {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Writes a request and reads its answer, which must be one of success with a short body.
    pub async fn send(&mut self, request: &[u8]) -> Result<(), Error> {
        self.0.write_all(request).await?;
        let mut answer = [0; 4096];
        let mut len = 0;
        loop {
            match self.0.read(&mut answer[len..]).await? {
                0 => return Err("the server has closed the connection".into()),
                more => len += more,
            }
            if let Some(end) = end_of_message(&answer[..len]) {
                let good = answer.starts_with(b"HTTP/1.1 2") && end == len;
                return if good { Ok(()) } else { Err(String::from_utf8_lossy(&answer[..len]).into()) };
            }
        }
    }
}

/// Where the first message ends, if all of it is there.
fn end_of_message(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(bytes.get(..head)?).ok()?;
    let length = text.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
    });
    let end = head + length.unwrap_or(0);
    (bytes.len() >= end).then_some(end)
}

/// Answers every request on a port of localhost with 200, as long as the runtime does something.
pub async fn serve() -> Result<u16, Error> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    Ok(port)
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        while end_of_message(&buffer).is_none() {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        buffer.clear();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    }
}
